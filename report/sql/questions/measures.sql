-- question: what does each measure in the file mean?
-- grain: one row per (id)
-- reads: measure, head_measure
with
    ranges as (
        select measure as id, count(distinct run_id) as runs, count(*) as heads
        from head_measure
        group by measure
    ),
    final as (
        select id, title, unit, definition, source, condition, position_low, runs, heads
        from measure
        join ranges using (id)
    )
select * from final order by id
