-- question: what does each measure in the file mean?
-- grain: one row per (id)
-- reads: measure, head_measure
-- A variant – other positions, other text, a chance level – is named after its measure and stands below it.
with
    ranges as (
        select measure as id, count(distinct run_id) as runs, count(*) as heads
        from head_measure
        group by measure
    ),
    named_after as (
        select variant.id, min(base.id) as root
        from ranges as variant
        join ranges as base on base.id = variant.id or starts_with(variant.id, base.id || '_')
        group by variant.id
    ),
    final as (
        select id, root, id = root as is_root, title, unit, definition, source, condition,
            ends_with(condition, 'natural text') as is_natural, position_low as first_position, position_end - 1 as last_position, runs, heads
        from measure
        join ranges using (id)
        join named_after using (id)
    )
select * from final order by root, not is_root, is_natural desc, first_position, id
