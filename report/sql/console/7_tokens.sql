-- question: on which tokens does the first head write most, and where does it look?
-- grain: one row per (run_id, rank)
-- reads: examples
with
    final as (
        select run_id, rank, relative_norm, text_before, token, text_after, source_token, source_attention
        from examples
        where layer = 0 and head = 0 and kind = 'largest'
    )
select * from final order by run_id, rank
