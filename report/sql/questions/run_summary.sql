-- question: what was measured in this run, on what text, with what?
-- grain: one row
-- reads: runs
with
    final as (
        select run_id, title, kind, model, revision, weights_sha256 as weights_checksum, quantisation, corpus, corpus_sha256 as corpus_checksum, corpus_licence, layers, heads_per_layer,
            layers * heads_per_layer as heads, window_tokens, windows_done, shards_done, shards, scored_tokens, dtype, device, hardware, attention_kernel, seed,
            batch_windows, versions::varchar as versions, source, measured_on, status, shards_quarantined,
            windows_quarantined
        from runs
        where run_id = $run_id
    )
select * from final
