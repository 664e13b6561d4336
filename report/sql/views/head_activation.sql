-- question: how often is each head active, relative to its layer and relative to the residual stream?
-- grain: one row per (run_id, layer, head)
-- reads: head_measure, head
with
    final as (
        select head.run_id, head.layer, head.head, head.kv_head,
            max(mean) filter (measure = 'activation_pct') as activation_pct,
            max(low) filter (measure = 'activation_pct') as activation_low,
            max(high) filter (measure = 'activation_pct') as activation_high,
            max(mean) filter (measure = 'residual_activation_pct') as residual_activation_pct,
            max(low) filter (measure = 'residual_activation_pct') as residual_activation_low,
            max(high) filter (measure = 'residual_activation_pct') as residual_activation_high,
            max(n) filter (measure = 'activation_pct') as scored_tokens
        from head
        join head_measure using (run_id, layer, head)
        where measure in ('activation_pct', 'residual_activation_pct')
        group by all
    )
select * from final
