-- question: on what percentage of its scored tokens does each head reach a figure's threshold?
-- grain: one row per (run_id, figure, layer, head)
-- reads: figure, figure_threshold, shard_histogram, histogram_bin
with
    per_shard as (
        select shard_histogram.run_id, figure_threshold.figure, shard_histogram.layer, shard_histogram.head, shard_histogram.shard,
            sum(shard_histogram.n)::bigint as n,
            100.0 * coalesce(sum(shard_histogram.n) filter (histogram_bin.low >= figure_threshold.threshold), 0) as total
        from shard_histogram
        join histogram_bin using (kind, bin)
        join figure_threshold
            on figure_threshold.run_id = shard_histogram.run_id and figure_threshold.histogram_kind = shard_histogram.kind
        group by all
    ),
    summed as (
        select run_id, figure, layer, head, sum(n)::bigint as n, fsum(total order by shard) / sum(n) as mean, count(*) as shards
        from per_shard
        group by all
    ),
    squared as (
        select run_id, figure, layer, head, fsum(power(per_shard.total - summed.mean * per_shard.n, 2) order by per_shard.shard) as squares
        from per_shard
        join summed using (run_id, figure, layer, head)
        group by all
    ),
    final as (
        select run_id, figure, layer, head, n, mean,
            case when shards > 1 then sqrt(squares * shards / (shards - 1)) / n end as se, shards
        from summed
        join squared using (run_id, figure, layer, head)
    )
select * from final
