-- question: on which tokens does each head write most, and what do random tokens of each band of r look like?
-- grain: one row per (layer, head, kind, rank)
-- reads: examples, example_kind
-- The first six of the largest, and of each band the first two of its random draw; r_to is null where a band has no upper edge.
with
    final as (
        select layer, head, kind, rank, example_kind.ordinal, if(ordinal = 0, null, example_kind.low) as r_from,
            case when ordinal > 0 and example_kind.high < 1e300 then example_kind.high end as r_to, relative_norm, text_before, token,
            text_after, source_before, source_token, source_after, 100 * source_attention as source_pct, document_title
        from examples
        join example_kind using (kind)
        where run_id = $run_id and rank <= if(ordinal = 0, 6, 2)
    )
select * from final order by layer, head, ordinal, rank
