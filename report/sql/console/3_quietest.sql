-- question: which twenty heads are the quietest, and how sure is that?
-- grain: one row per (run_id, layer, head)
-- reads: head_activation
with
    final as (
        select run_id, layer, head, activation_pct, activation_low, activation_high
        from head_activation
        where activation_pct is not null
        order by activation_pct, run_id, layer, head
        limit 20
    )
select * from final order by activation_pct, run_id, layer, head
