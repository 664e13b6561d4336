-- impossible: a shard is quarantined twice
select run_id, shard from quarantine group by all having count(*) > 1
