-- impossible: a shard lacks a measure of text that the run's other shards have
with
    measured as (select run_id, measure, count(distinct shard) as shards from shard_stat group by all),
    committed as (select run_id, count(*) as shards from shard group by run_id)
select measured.run_id, measured.measure
from measured
join committed using (run_id)
join measure on measure.id = measured.measure
where measure.condition = 'natural text' and measured.shards <> committed.shards
