-- question: how active is each layer, on average over its heads?
-- grain: one row per (layer)
-- reads: head_activation
with
    final as (
        select layer, round(avg(activation_pct), 2) as activation_pct
        from head_activation
        where run_id = (select min(run_id) from head_activation)
        group by layer
    )
select * from final order by layer
