-- question: what is the mean of every measure, per head, with the standard error that comes from the sample of text?
-- grain: one row per (run_id, measure, figure, layer, head)
-- reads: shard_total
-- The mean is a ratio, sum of totals over sum of n; its error is the linearised ratio error with the shard as the unit of sampling.
-- The design effect is the square of that error over the one that n independent tokens (windows, for a measure of windows) of the same spread
-- would give: exactly 1 where every shard holds one value. Where the spread is no more than rounding, it has none.
-- fsum takes the shards in order: without it, the last bit of a sum would depend on which thread came first.
with
    summed as (
        select run_id, measure, figure, layer, head, sum(n)::bigint as n, fsum(total order by shard) / sum(n) as mean, count(*) as shards,
            fsum(total_of_squares order by shard) as sum_of_squares
        from shard_total
        group by run_id, measure, figure, layer, head
        having sum(n) > 0
    ),
    squared as (
        select summed.run_id, summed.measure, summed.figure, summed.layer, summed.head,
            fsum(power(shard_total.total - summed.mean * shard_total.n, 2) order by shard_total.shard) as squares
        from shard_total
        join summed
            on summed.run_id = shard_total.run_id
            and summed.measure = shard_total.measure
            and summed.figure is not distinct from shard_total.figure
            and summed.layer = shard_total.layer
            and summed.head = shard_total.head
        group by all
    ),
    spread as (
        select summed.*, case when shards > 1 then sqrt(squares * shards / (shards - 1)) / n end as se,
            sum_of_squares - n * mean * mean as squares_about_mean
        from summed
        join squared
            on squared.run_id = summed.run_id
            and squared.measure = summed.measure
            and squared.figure is not distinct from summed.figure
            and squared.layer = summed.layer
            and squared.head = summed.head
    ),
    final as (
        select run_id, measure, figure, layer, head, n, mean, shards, se,
            case when squares_about_mean > 1e-10 * sum_of_squares then se * se * n * (n - 1) / squares_about_mean end as design_effect
        from spread
    )
select * from final
