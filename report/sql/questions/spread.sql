-- question: between which values does the middle half of the heads lie, and how wide is that beside the figure's bands?
-- grain: one row
-- reads: head_band, band
with
    heads as (select value from head_band where run_id = $run_id and figure = $figure),
    bands as (
        select median(high - low) as width, max(high) filter (stack_ordinal = 0) as top from band where run_id = $run_id and figure = $figure
    ),
    final as (
        select quantile_cont(value, 0.25) as quarter_value, median(value) as middle_value, quantile_cont(value, 0.75) as upper_value,
            (quantile_cont(value, 0.75) - quantile_cont(value, 0.25)) / any_value(width) as widths_ratio, count(*) as heads
        from heads
        cross join bands
    )
select * from final
