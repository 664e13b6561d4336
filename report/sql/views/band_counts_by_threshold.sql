-- question: how many heads fall in each band of each layer range, at each of the thresholds around the figure's own?
-- grain: one row per (run_id, figure, threshold, range_ordinal, band_ordinal)
-- reads: head_band_by_threshold, threshold, layer_range, band
-- At the figure's own threshold these are the rows of band_counts. An empty band has 0 heads.
with
    counted as (
        select run_id, figure, threshold_ordinal, range_ordinal, band_ordinal, count(*) as heads
        from head_band_by_threshold
        group by all
    ),
    cells as (
        select threshold.run_id, threshold.figure, threshold.ordinal as threshold_ordinal, threshold.threshold, threshold.is_own,
            layer_range.range_ordinal, layer_range.label as range_label, band.band_ordinal, band.label as band_label
        from threshold
        join layer_range on layer_range.run_id = threshold.run_id and layer_range.figure = threshold.figure
        join band on band.run_id = threshold.run_id and band.figure = threshold.figure
    ),
    final as (
        select cells.*, coalesce(heads, 0) as heads,
            coalesce(heads, 0) / nullif(sum(heads) over (partition by run_id, figure, threshold_ordinal, range_ordinal), 0) as share
        from cells
        left join counted using (run_id, figure, threshold_ordinal, range_ordinal, band_ordinal)
    )
select * from final order by run_id, figure, threshold_ordinal, range_ordinal, band_ordinal
