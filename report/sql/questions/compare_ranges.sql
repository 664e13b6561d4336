-- question: in each layer range, how many heads stay in their band, rise or fall, and how far do they move together?
-- grain: one row per (range_ordinal)
-- reads: head_difference, layer_range
with
    final as (
        select range_ordinal, any_value(label) as range_label, count(*) as heads, count(*) filter (band_b = band_a) as stayed_heads,
            count(*) filter (band_b > band_a) as risen_heads, count(*) filter (band_b < band_a) as fallen_heads,
            count(*) filter (q < 0.05) as differing_heads, 100 * count(*) filter (band_b <> band_a) / count(*) as moved_pct,
            fsum(value_a order by layer, head) / count(*) as a_value, fsum(value_b order by layer, head) / count(*) as b_value,
            fsum(difference order by layer, head) / count(*) as difference_value
        from head_difference
        join layer_range on layer_range.run_id = run_a and layer_range.figure = head_difference.figure and layer >= first_layer and layer < end_layer
        where run_a = $run_a and run_b = $run_b and head_difference.figure = $figure
        group by range_ordinal
    )
select * from final order by range_ordinal
