-- question: how many heads fall in each band of each layer range, at each of the thresholds around the figure's own?
-- grain: one row per (threshold_ordinal, range_ordinal, band_ordinal)
-- reads: band_counts_by_threshold, band
with
    final as (
        select counted.threshold_ordinal, counted.threshold, counted.is_own, counted.range_ordinal, counted.range_label,
            counted.band_ordinal, counted.band_label, band.stack_ordinal, counted.heads, 100 * counted.share as pct
        from band_counts_by_threshold as counted
        join band using (run_id, figure, band_ordinal)
        where counted.run_id = $run_id and counted.figure = $figure
    )
select * from final order by threshold_ordinal, range_ordinal, stack_ordinal
