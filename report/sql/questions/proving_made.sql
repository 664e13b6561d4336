-- question: from what were the scores of planted heads made, and how far do the families differ?
-- grain: one row
-- reads: planted_score
with
    pairs as (
        select planted_as, text_kind, measure, 100 * max(total / n) - 100 * min(total / n) as apart
        from planted_score
        group by all
    ),
    tokens as (
        select any_value(n) filter (text_kind = 'prose') as prose_tokens, any_value(n) filter (text_kind = 'code') as code_tokens,
            any_value(n) filter (text_kind = 'json') as json_tokens, any_value(n) filter (text_kind = 'repeated') as repeated_tokens
        from planted_score
        where measure = 'self_mass'
    ),
    made as (
        select string_agg(distinct version, '; ' order by version) as version,
            string_agg(distinct family, ' and ' order by family) as families, count(distinct planted_as) as kinds
        from planted_score
    ),
    final as (
        select version, families, kinds, (select max(apart) from pairs) as families_apart_points, tokens.*
        from made
        cross join tokens
    )
select * from final
