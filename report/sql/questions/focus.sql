-- question: where is the band on the baseline widest and narrowest, what is its largest step, and which ranges does it not lead?
-- grain: one row
-- reads: band_counts, band
with
    cells as (
        select band_counts.*, stack_ordinal, 100 * share as pct, sum(heads) over (partition by range_ordinal)::bigint as range_heads,
            max(heads) over (partition by range_ordinal) as leader_heads
        from band_counts
        join band using (run_id, figure, band_ordinal)
        where run_id = $run_id and figure = $figure
    ),
    leaders as (
        select range_ordinal, arg_min(band_label, stack_ordinal) as leader_label from cells where heads = leader_heads group by range_ordinal
    ),
    base as (
        select cells.*, leader_label, lag(range_label) over steps as before_label, pct - lag(pct) over steps as step
        from cells
        join leaders using (range_ordinal)
        where stack_ordinal = 0 and range_heads > 0
        window steps as (order by range_ordinal)
    ),
    not_led as (select * from base where heads < leader_heads),
    minor as (select * from base where 2 * heads <= range_heads),
    final as (
        select any_value(band_label) as band_label, sum(heads)::bigint as heads, sum(range_heads)::bigint as all_heads,
            100 * sum(heads) / nullif(sum(range_heads), 0) as pct, count(*) as ranges,
            arg_max(range_label, pct) as widest_label, arg_max(heads, pct) as widest_heads, arg_max(range_heads, pct) as widest_of, max(pct) as widest_pct,
            arg_min(range_label, pct) as narrowest_label, arg_min(heads, pct) as narrowest_heads, arg_min(range_heads, pct) as narrowest_of,
            min(pct) as narrowest_pct,
            arg_max(before_label, abs(step)) as step_from_label, arg_max(range_label, abs(step)) as step_to_label, max(abs(step)) as step_points,
            arg_max(sign(step)::integer, abs(step)) as step_sign,
            count(*) filter (step > 0) as steps_up, count(*) filter (step < 0) as steps_down, count(step) as steps,
            arg_min(heads, range_ordinal) as first_heads, arg_min(range_heads, range_ordinal) as first_of,
            arg_max(heads, range_ordinal) as last_heads, arg_max(range_heads, range_ordinal) as last_of,
            (select count(*) from not_led) as ranges_not_led, (select min(range_label) from not_led) as not_led_label,
            (select arg_min(leader_label, range_ordinal) from not_led) as rival_label, (select arg_min(leader_heads, range_ordinal) from not_led) as rival_heads,
            (select arg_min(heads, range_ordinal) from not_led) as own_heads,
            (select count(*) from minor) as ranges_minor, (select min(range_label) from minor) as minor_label
        from base
    )
select * from final
