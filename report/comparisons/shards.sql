-- question: what does each shard of a run add to a measure, head by head, at one threshold?
-- grain: one row per (layer, head)
-- reads: shard_stat, shard_histogram, histogram_bin, measure
-- threshold is null for a measure that needs none. Shards stand in their order; the mean is summed as in view head_mean.
with
    totals as (
        select layer, head, shard, n, total
        from shard_stat
        where run_id = $run_id and measure = $measure and $threshold::double is null
        union all
        select layer, head, shard, sum(n)::bigint as n, 100.0 * coalesce(sum(n) filter (low >= $threshold::double), 0) as total
        from shard_histogram
        join histogram_bin using (kind, bin)
        where run_id = $run_id and kind = (select histogram_kind from measure where id = $measure) and $threshold::double is not null
        group by layer, head, shard
    ),
    final as (
        select layer, head, fsum(total order by shard) / sum(n) as mean, list(shard order by shard) as shards, list(n order by shard) as counts,
            list(total order by shard) as totals
        from totals
        group by layer, head
        having sum(n) > 0
    )
select * from final order by layer, head
