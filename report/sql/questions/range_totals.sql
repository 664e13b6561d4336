-- question: how many heads does each layer range show, which band leads there, and what do its printed percentages sum to?
-- grain: one row per (range_ordinal)
-- reads: band_counts, band, layer_range, run, published_count
-- of_model_pct: heads shown per head that the model has in the range, where the model's heads are known.
with
    cells as (
        select * from band_counts join band using (run_id, figure, band_ordinal) where run_id = $run_id and figure = $figure
    ),
    model as (
        select coalesce(
            (select layers * heads_per_layer from run where run_id = $run_id),
            (select max(model_heads) from published_count where figure = $figure)
        ) / (select max(end_layer) from layer_range where run_id = $run_id and figure = $figure) as heads_per_layer
    ),
    per_range as (
        select range_ordinal, any_value(range_label) as range_label, sum(heads)::bigint as range_heads,
            max(heads) as leader_heads,
            first(cells.label order by heads desc, stack_ordinal) as leader_label,
            count(*) filter (heads = (select max(inner_cells.heads) from cells as inner_cells where inner_cells.range_ordinal = cells.range_ordinal)) as leaders,
            sum(heads) filter (stack_ordinal = 0)::bigint as base_heads,
            sum(printf('%.1f', 100 * share)::decimal(9, 1))::double as printed_sum
        from cells
        group by range_ordinal
    ),
    final as (
        select per_range.range_ordinal, per_range.range_label, range_heads, end_layer - first_layer as layers_in_range,
            ((end_layer - first_layer) * heads_per_layer)::bigint as model_heads_in_range,
            100 * range_heads / ((end_layer - first_layer) * heads_per_layer) as pct,
            leader_label, leader_heads, leaders > 1 as tied, 100 * base_heads / nullif(range_heads, 0) as base_pct, printf('%.1f', printed_sum) as printed_sum
        from per_range
        join layer_range on layer_range.run_id = $run_id and layer_range.figure = $figure and layer_range.range_ordinal = per_range.range_ordinal
        cross join model
    )
select * from final order by range_ordinal
