-- impossible: a measure's sums in a shard are not of all heads, each once and over as many values
select shard_stat.run_id, shard_stat.shard, shard_stat.measure
from shard_stat
join run using (run_id)
where run.layers is not null
group by shard_stat.run_id, shard_stat.shard, shard_stat.measure, run.layers, run.heads_per_layer
having count(*) <> run.layers * run.heads_per_layer
    or count(distinct (layer, head)) <> run.layers * run.heads_per_layer
    or max(layer) >= run.layers
    or max(head) >= run.heads_per_layer
    or min(layer) < 0
    or min(head) < 0
    or min(n) <> max(n)
