-- question: how many heads sleep on one text and work on the other, and where are the limits?
-- grain: one row
-- reads: head_difference, band
-- The rule is that of compare_sleepers.
with
    edges as (
        select min(high) as asleep_below, case when count(*) < 4 then max(low) else max(low) filter (band_ordinal < last_ordinal) end as working_from
        from (select *, max(band_ordinal) over () as last_ordinal from band where run_id = $run_a and figure = $figure)
    ),
    flagged as (
        select coalesce(q < 0.05 and high_a < asleep_below and low_b >= working_from, false) as waking,
            coalesce(q < 0.05 and high_b < asleep_below and low_a >= working_from, false) as dozing, q
        from head_difference
        cross join edges
        where run_a = $run_a and run_b = $run_b and figure = $figure
    ),
    final as (
        select count(*) filter (waking or dozing) as heads, count(*) filter (waking) as waking_heads, count(*) filter (dozing) as dozing_heads,
            count(q) as tested_heads, (select asleep_below from edges) as asleep_below, (select working_from from edges) as working_from
        from flagged
    )
select * from final
