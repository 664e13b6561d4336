-- impossible: a histogram of a shard is not of all heads, or has a bin twice
with
    heads as (
        select run_id, shard, kind, layer, head, count(*) as rows, count(distinct bin) as bins
        from shard_histogram
        group by all
    )
select heads.run_id, heads.shard, heads.kind
from heads
join run using (run_id)
where layers is not null
group by heads.run_id, heads.shard, heads.kind, layers, heads_per_layer
having count(*) <> layers * heads_per_layer or sum(rows) <> sum(bins) or max(layer) >= layers or max(head) >= heads_per_layer
