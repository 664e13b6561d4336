-- question: which heads sleep on one text and work on the other?
-- grain: one row per (layer, head)
-- reads: head_difference, band
-- Sleeping: the whole 95 % interval lies within the lowest band. Working: the whole interval lies within the two highest bands (the highest
-- alone where a figure has fewer than four). Besides, the difference must stand out among all heads (q below .05).
with
    edges as (
        select min(high) as asleep_below, case when count(*) < 4 then max(low) else max(low) filter (band_ordinal < last_ordinal) end as working_from
        from (select *, max(band_ordinal) over () as last_ordinal from band where run_id = $run_a and figure = $figure)
    ),
    final as (
        select layer, head, printf('L%dH%d', layer, head) as head_label, value_a as a_value, low_a as a_low, high_a as a_high, value_b as b_value,
            low_b as b_low, high_b as b_high, difference > 0 as wakes, difference as difference_value, q as corrected_p
        from head_difference
        cross join edges
        where run_a = $run_a and run_b = $run_b and figure = $figure and q < 0.05
            and ((high_a < asleep_below and low_b >= working_from) or (high_b < asleep_below and low_a >= working_from))
    )
select * from final order by abs(difference_value) desc, layer, head
