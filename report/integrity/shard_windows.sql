-- impossible: a shard has not the windows and tokens that its place in the run gives it
select shard.run_id, shard.shard
from shard
join run using (run_id)
where run.kind = 'measured'
    and (
        shard.shard >= run.shards
        or shard.windows <> ((shard.shard + 1)::bigint * run.windows) // run.shards - (shard.shard::bigint * run.windows) // run.shards
        or shard.scored_tokens <> shard.windows * (run.window_tokens - 1)::bigint
    )
