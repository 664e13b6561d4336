-- question: how is r of each head spread over the tokens, in half octaves?
-- grain: one row per (layer, head, step)
-- reads: head, shard_histogram, histogram_bin, figure_threshold
-- Bins of the file are joined, none is cut; step 0 holds what is below the lowest edge. r_to is null where there is no upper edge.
-- is_active: from the threshold of activation on.
with
    bins as (
        select bin, low, high, case when low > 0 then floor(2 * log2(low) + 1e-6)::integer end as half_octave
        from histogram_bin
        where kind = 'relative_norm'
    ),
    steps as (
        select half_octave, min(low) as r_from, max(high) as r_to, row_number() over (order by min(low)) - 1 as step
        from bins
        group by half_octave
    ),
    counted as (
        select layer, head, bin, sum(n)::bigint as n
        from shard_histogram
        where run_id = $run_id and kind = 'relative_norm'
        group by layer, head, bin
    ),
    summed as (
        select layer, head, steps.step, sum(n)::bigint as n
        from counted
        join bins using (bin)
        join steps on steps.half_octave is not distinct from bins.half_octave
        group by layer, head, steps.step
    ),
    totals as (select layer, head, sum(n)::bigint as total from summed group by layer, head),
    activity as (
        select max(threshold) as threshold
        from figure_threshold
        where run_id = $run_id and measure = 'activation_pct'
    ),
    final as (
        select totals.layer, totals.head, steps.step, steps.r_from, if(steps.r_to < 1e300, steps.r_to, null) as r_to,
            coalesce(summed.n, 0) as tokens, 100 * coalesce(summed.n, 0) / totals.total as pct,
            coalesce(steps.r_from >= activity.threshold, false) as is_active
        from totals
        cross join steps
        cross join activity
        left join summed on summed.layer = totals.layer and summed.head = totals.head and summed.step = steps.step
    )
select * from final order by layer, head, step
