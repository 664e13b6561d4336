-- question: how many heads carry each label?
-- grain: one row per (label)
-- reads: head_label
with
    final as (
        select label, count(*) as heads
        from head_label
        where run_id = (select min(run_id) from head_label)
        group by label
    )
select * from final order by heads desc, label
