-- question: what does every head score in the two runs, and in which layer range does it lie?
-- grain: one row per (layer, head)
-- reads: head_difference, layer_range, band
with
    final as (
        select range_ordinal, layer_range.label as range_label, layer, head, printf('L%dH%d', layer, head) as head_label, value_a as a_value, low_a as a_low,
            high_a as a_high, a.label as a_band_label, value_b as b_value, low_b as b_low, high_b as b_high, b.label as b_band_label,
            difference as difference_value, head_difference.low as difference_low, head_difference.high as difference_high, p, q as corrected_p
        from head_difference
        join layer_range on layer_range.run_id = run_a and layer_range.figure = head_difference.figure and layer >= first_layer and layer < end_layer
        join band as a on a.run_id = run_a and a.figure = head_difference.figure and a.band_ordinal = band_a
        join band as b on b.run_id = run_a and b.figure = head_difference.figure and b.band_ordinal = band_b
        where run_a = $run_a and run_b = $run_b and head_difference.figure = $figure
    )
select * from final order by layer, head
