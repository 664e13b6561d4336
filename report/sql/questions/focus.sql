-- question: where is the band on the baseline widest and narrowest, what is its largest step, and which ranges does it not lead?
-- grain: one row
-- reads: band_counts, band
-- Ties go to the shallower range, and are counted: a page says nothing of "the widest" where two are.
with
    cells as (
        select band_counts.*, stack_ordinal, 100 * share as pct, sum(heads) over (partition by range_ordinal)::bigint as range_heads,
            max(heads) over (partition by range_ordinal) as leader_heads
        from band_counts
        join band using (run_id, figure, band_ordinal)
        where run_id = $run_id and figure = $figure
    ),
    leaders as (
        select range_ordinal, first(band_label order by stack_ordinal) as leader_label, count(*) as leaders
        from cells
        where heads = leader_heads
        group by range_ordinal
    ),
    base as (
        select cells.*, leader_label, leaders, lag(range_label) over steps as before_label, pct - lag(pct) over steps as step
        from cells
        join leaders using (range_ordinal)
        where stack_ordinal = 0 and range_heads > 0
        window steps as (order by range_ordinal)
    ),
    ends as (select max(pct) as most, min(pct) as least, max(abs(step)) as largest_step from base),
    final as (
        select any_value(band_label) as band_label, sum(heads)::bigint as heads, count(*) as ranges,
            first(range_label order by pct desc, range_ordinal) as widest_label, first(heads order by pct desc, range_ordinal) as widest_heads,
            first(range_heads order by pct desc, range_ordinal) as widest_of, max(pct) as widest_pct,
            first(range_label order by pct, range_ordinal) as narrowest_label, first(heads order by pct, range_ordinal) as narrowest_heads,
            first(range_heads order by pct, range_ordinal) as narrowest_of, min(pct) as narrowest_pct,
            count(*) filter (pct = most) + count(*) filter (pct = least) > 2 as ends_tied,
            first(before_label order by abs(step) desc nulls last, range_ordinal) as step_from_label,
            first(range_label order by abs(step) desc nulls last, range_ordinal) as step_to_label, max(abs(step)) as step_points,
            first(sign(step)::integer order by abs(step) desc nulls last, range_ordinal) as step_sign,
            count(*) filter (abs(step) = largest_step) > 1 as step_tied,
            count(*) filter (step > 0) as steps_up, count(*) filter (step < 0) as steps_down, count(step) as steps,
            count(*) filter (heads < leader_heads) as ranges_not_led, count(*) filter (heads = leader_heads and leaders > 1) as ranges_tied,
            first(range_label order by range_ordinal) filter (heads < leader_heads) as not_led_label,
            first(leader_label order by range_ordinal) filter (heads < leader_heads) as rival_label,
            first(leader_heads order by range_ordinal) filter (heads < leader_heads) as rival_heads,
            first(heads order by range_ordinal) filter (heads < leader_heads) as own_heads,
            count(*) filter (2 * heads <= range_heads) as ranges_minor,
            first(range_label order by range_ordinal) filter (2 * heads <= range_heads) as minor_label
        from base
        cross join ends
    )
select * from final
