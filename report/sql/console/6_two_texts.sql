-- question: which heads differ most in activation between two runs of one shape?
-- grain: one row per (run_a, run_b, layer, head)
-- reads: head_activation, runs
with
    shaped as (
        select head_activation.run_id, layer, head, activation_pct, layers, heads_per_layer
        from head_activation
        join runs using (run_id)
    ),
    final as (
        select a.run_id as run_a, b.run_id as run_b, layer, head, a.activation_pct as pct_a, b.activation_pct as pct_b,
            b.activation_pct - a.activation_pct as difference
        from shaped as a
        join shaped as b using (layer, head, layers, heads_per_layer)
        where a.run_id < b.run_id
        order by abs(difference) desc, run_a, run_b, layer, head
        limit 50
    )
select * from final order by abs(difference) desc, run_a, run_b, layer, head
