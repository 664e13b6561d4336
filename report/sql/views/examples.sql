-- question: on which tokens does each head write most, and what does a random token of each band of r look like?
-- grain: one row per (run_id, layer, head, kind, rank)
-- reads: example, example_kind, example_token, window_document
-- Of the rows of table example only those count that no later shard superseded: the first of each kind, ranked anew. Texts are as in the
-- window; the start token, at position 0, is no part of them.
with
    ranked as (
        select example.*, example_kind.kept, example_kind.tokens_around, example_kind.tokens_around_source,
            row_number() over (
                partition by example.run_id, example.layer, example.head, example.kind
                order by case when ordinal = 0 then -relative_norm else 0 end, case when ordinal = 0 then 0 else draw end,
                    "window", position
            ) as rank
        from example
        join example_kind using (kind)
    ),
    kept as (select * from ranked where rank <= kept),
    places as (
        select run_id, layer, head, kind, rank, "window", position as centre, 'token' as part, tokens_around as reach from kept
        union all
        select run_id, layer, head, kind, rank, "window", source_position as centre, 'source' as part, tokens_around_source as reach from kept
    ),
    around as (select *, centre + unnest(range(-reach, reach + 1)) as position from places),
    texts as (
        select run_id, layer, head, kind, rank, part,
            coalesce(string_agg(token, '' order by position) filter (position between 1 and centre - 1), '') as before,
            any_value(token) filter (position = centre) as token,
            coalesce(string_agg(token, '' order by position) filter (position > centre), '') as after
        from around
        join example_token using (run_id, "window", position)
        group by all
    ),
    final as (
        select kept.run_id, kept.layer, kept.head, kept.kind, kept.rank, kept."window", kept.position, kept.relative_norm,
            here.before as text_before, here.token, here.after as text_after,
            kept.source_position, kept.source_attention, there.before as source_before, there.token as source_token, there.after as source_after,
            window_document.position as document_position, window_document.title as document_title
        from kept
        join texts as here
            on here.run_id = kept.run_id and here.layer = kept.layer and here.head = kept.head and here.kind = kept.kind
            and here.rank = kept.rank and here.part = 'token'
        join texts as there
            on there.run_id = kept.run_id and there.layer = kept.layer and there.head = kept.head and there.kind = kept.kind
            and there.rank = kept.rank and there.part = 'source'
        asof left join window_document
            on window_document.run_id = kept.run_id and window_document."window" = kept."window" and kept.position >= window_document.position
    )
select * from final
