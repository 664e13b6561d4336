-- question: what does each shard add to every measure of every head?
-- grain: one row per (run_id, measure, figure, layer, head, shard)
-- reads: shard_stat, figure_threshold, shard_histogram, histogram_bin
-- A measure that needs a threshold has rows per figure, at the figure's own: a hundred for every scored token that reaches it, so that a
-- square is a hundred times as much. Any other has no figure.
with
    summed as (
        select run_id, measure, null::varchar as figure, layer, head, shard, n, total, total_of_squares
        from shard_stat
    ),
    reached as (
        select shard_histogram.run_id, figure_threshold.measure, figure_threshold.figure, shard_histogram.layer, shard_histogram.head,
            shard_histogram.shard,
            sum(shard_histogram.n)::bigint as n,
            100.0 * coalesce(sum(shard_histogram.n) filter (histogram_bin.low >= figure_threshold.threshold), 0) as total
        from shard_histogram
        join histogram_bin using (kind, bin)
        join figure_threshold
            on figure_threshold.run_id = shard_histogram.run_id and figure_threshold.histogram_kind = shard_histogram.kind
        group by all
    ),
    final as (
        select * from summed
        union all
        select *, 100.0 * total as total_of_squares from reached
    )
select * from final
