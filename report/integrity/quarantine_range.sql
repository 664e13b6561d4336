-- impossible: a quarantined shard is none of its run's
select quarantine.run_id, quarantine.shard
from quarantine
join run using (run_id)
where quarantine.shard >= run.shards
    or quarantine.first_window <> (quarantine.shard::bigint * run.windows) // run.shards
    or quarantine.first_window + quarantine.windows <> ((quarantine.shard + 1)::bigint * run.windows) // run.shards
