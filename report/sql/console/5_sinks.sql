-- question: are heads that look at the first token less active?
-- grain: one row per (run_id, layer, head)
-- reads: head_measure
with
    wide as (
        select run_id, layer, head,
            max(mean) filter (measure = 'sink_mass') as sink_mass,
            max(mean) filter (measure = 'activation_pct') as activation_pct
        from head_measure
        where run_id = (select min(run_id) from head_measure)
        group by run_id, layer, head
    ),
    final as (select * from wide where sink_mass is not null and activation_pct is not null)
select sink_mass, activation_pct from final order by layer, head
