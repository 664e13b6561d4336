-- impossible: a shard lacks a histogram that the run's other shards have
with
    measured as (select run_id, kind, count(distinct shard) as shards from shard_histogram group by all),
    committed as (select run_id, count(*) as shards from shard group by run_id)
select measured.run_id, measured.kind
from measured
join committed using (run_id)
where measured.shards <> committed.shards
