-- question: of the heads that pass for induction on repeated tokens, how many pass for induction in the run's own text?
-- grain: one row
-- reads: detector_score
with
    kinds as (
        select layer, head, bool_or(passes) filter (detector = 'induction_repeated') as on_repeated,
            bool_or(passes) filter (detector = 'induction') as in_text
        from detector_score
        where run_id = $run_id and detector in ('induction', 'induction_repeated')
        group by all
    ),
    final as (
        select count(*) as heads, count(*) filter (on_repeated) as repeated_heads, count(*) filter (in_text) as text_heads,
            count(*) filter (on_repeated and in_text) as both_heads
        from kinds
        where on_repeated is not null and in_text is not null
    )
select * from final
