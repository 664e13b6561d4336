-- question: how many heads does each band hold over all layers, in how many ranges is it met, and does its share move one way?
-- grain: one row per (band_ordinal)
-- reads: band_counts, band, test_result
with
    cells as (
        select band_counts.*, band.colour, band.stack_ordinal, share - lag(share) over (partition by band_ordinal order by range_ordinal) as step
        from band_counts
        join band using (run_id, figure, band_ordinal)
        where run_id = $run_id and figure = $figure
    ),
    per_band as (
        select band_ordinal, any_value(band_label) as band_label, any_value(colour) as colour, any_value(stack_ordinal) as stack_ordinal,
            sum(heads)::bigint as heads, 100 * sum(heads) / nullif((select sum(heads) from cells), 0) as pct,
            count(*) filter (heads > 0) as ranges_met, first(range_label order by range_ordinal) filter (heads > 0) as some_range_label,
            count(*) as ranges, count(*) filter (step > 0) as steps_up, count(*) filter (step < 0) as steps_down, count(step) as steps,
            100 * arg_min(share, range_ordinal) as first_pct, 100 * arg_max(share, range_ordinal) as last_pct
        from cells
        group by band_ordinal
    ),
    final as (
        select per_band.*, test_result.p, coalesce(test_result.p_adjusted, test_result.p) as adjusted_p
        from per_band
        left join test_result
            on run_id = $run_id and figure = $figure and test_result.band_ordinal = per_band.band_ordinal and role <> 'companion'
    )
select * from final order by stack_ordinal
