-- question: what was measured, on what, with what?
-- grain: one row per (run_id)
-- reads: runs
with
    final as (
        select run_id, kind, model, corpus, corpus_licence, layers, heads_per_layer, scored_tokens, dtype, device, hardware, measured_on
        from runs
    )
select * from final order by kind desc, run_id
