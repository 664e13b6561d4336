-- question: on what share of tokens does each detector take each planted head for its own, by kind of text?
-- grain: one row per (detector, planted_as)
-- reads: planted_score
-- On repeated tokens the two detectors that have a measure of their own there, scored on second and later copies, are taken by it.
with
    detectors as (
        select * from (values
            (0, 'induction_mass', 'induction'), (1, 'previous_token_mass', 'previous'), (2, 'duplicate_token_mass', 'duplicate'),
            (3, 'self_mass', 'self'), (4, 'sink_mass', 'sink')
        ) as listed (ordinal, detector, own)
    ),
    scores as (
        select replace(measure, '_repeated', '') as detector, planted_as, text_kind, 100 * fsum(total order by family) / sum(n) as pct
        from planted_score
        where planted_as in (select own from detectors) or planted_as = 'uniform'
        group by all
    ),
    final as (
        select ordinal, detector, planted_as, planted_as = own as is_own,
            any_value(pct) filter (text_kind = 'prose') as prose_pct,
            any_value(pct) filter (text_kind = 'code') as code_pct,
            any_value(pct) filter (text_kind = 'json') as json_pct,
            any_value(pct) filter (text_kind = 'repeated') as repeated_pct
        from scores
        join detectors using (detector)
        group by all
    )
select * from final order by ordinal, not is_own, planted_as = 'uniform', planted_as
