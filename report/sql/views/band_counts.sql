-- question: how many heads fall in each band of each layer range, in every figure?
-- grain: one row per (run_id, figure, range_ordinal, band_ordinal)
-- reads: head_band, layer_range, band, published_count
-- Every figure once, at its own threshold, all positions; an empty band has 0 heads. share is of the range's heads.
with
    counted as (
        select run_id, figure, range_ordinal, band_ordinal, count(*) as heads
        from head_band
        group by all
        union all
        select figure as run_id, figure, range_ordinal, band_ordinal, sum(heads)::bigint as heads
        from published_count
        group by all
    ),
    cells as (
        select layer_range.run_id, layer_range.figure, layer_range.range_ordinal, layer_range.label as range_label,
            band.band_ordinal, band.label as band_label, coalesce(counted.heads, 0) as heads
        from layer_range
        join band using (run_id, figure)
        left join counted using (run_id, figure, range_ordinal, band_ordinal)
    ),
    final as (
        select run_id, figure, range_ordinal, range_label, band_ordinal, band_label, heads,
            heads / nullif(sum(heads) over (partition by run_id, figure, range_ordinal), 0) as share
        from cells
    )
select * from final order by run_id, figure, range_ordinal, band_ordinal
