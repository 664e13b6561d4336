-- question: what do the two runs have in common, and in what do they differ?
-- grain: one row
-- reads: runs, comparison
with
    sides as (select any_value(sampling) as sampling, any_value(kind) as kind from comparison where run_a = $run_a and run_b = $run_b),
    final as (
        select sides.kind, sides.sampling, a.title as a_title, b.title as b_title, coalesce(a.corpus, a.source) as a_text, b.corpus as b_text,
            a.scored_tokens as a_tokens, b.scored_tokens as b_tokens, a.windows_done as a_windows, b.windows_done as b_windows,
            a.shards_done as a_shards, b.shards_done as b_shards, b.layers, b.heads_per_layer, b.layers * b.heads_per_layer as heads,
            b.window_tokens, b.dtype, b.quantisation
        from runs as a
        cross join runs as b
        cross join sides
        where a.run_id = $run_a and b.run_id = $run_b
    )
select * from final
