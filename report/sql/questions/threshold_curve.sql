-- question: how many heads does each band hold over all layers, at each of the thresholds around the figure's own?
-- grain: one row per (threshold_ordinal, band_ordinal)
-- reads: band_counts_by_threshold, band
with
    counted as (
        select threshold_ordinal, threshold, is_own, band_ordinal, sum(heads)::bigint as heads
        from band_counts_by_threshold
        where run_id = $run_id and figure = $figure
        group by all
    ),
    final as (
        select threshold_ordinal, threshold, is_own, counted.band_ordinal, band.label as band_label, colour, stack_ordinal, heads,
            sum(heads) over (partition by threshold_ordinal)::bigint as all_heads,
            100 * heads / nullif(sum(heads) over (partition by threshold_ordinal), 0) as pct
        from counted
        join band on band.run_id = $run_id and band.figure = $figure and band.band_ordinal = counted.band_ordinal
    )
select * from final order by threshold_ordinal, stack_ordinal
