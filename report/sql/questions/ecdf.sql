-- question: what share of the heads of each layer range lies at or below each value?
-- grain: one row per (range_ordinal, layer, head)
-- reads: head_band, layer_range
-- Heads of the same value share the cumulative share of the last of them.
with
    final as (
        select head_band.range_ordinal, layer_range.label as range_label, layer, head, printf('L%dH%d', layer, head) as head_label, value,
            100 * cume_dist() over (partition by head_band.range_ordinal order by value) as cumulative_pct
        from head_band
        join layer_range
            on layer_range.run_id = head_band.run_id and layer_range.figure = head_band.figure
            and layer_range.range_ordinal = head_band.range_ordinal
        where head_band.run_id = $run_id and head_band.figure = $figure
    )
select * from final order by range_ordinal, value, layer, head
