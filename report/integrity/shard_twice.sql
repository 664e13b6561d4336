-- impossible: a shard stands twice
select run_id, shard from shard group by all having count(*) > 1
