-- question: what was published for each head, count or model, and what is ours?
-- grain: one row per (list, ordinal)
-- reads: published_value, head_measure
-- place: 1 is the head with our highest value. Null where nothing was measured, never 0.
with
    measured as (select distinct list, run_id, measure from published_value where run_id is not null),
    ours as (
        select measured.list, head_measure.layer, head_measure.head, head_measure.mean,
            rank() over (partition by measured.list order by head_measure.mean desc) as place
        from measured
        join head_measure on head_measure.run_id = measured.run_id and head_measure.measure = measured.measure
    ),
    summed as (
        select published_value.list, published_value.ordinal, count(*) filter (mean > above)::double as heads_above,
            100 - fsum(mean order by ours.layer, ours.head) / count(*) as sinks, any_value(mean) filter (ours.head = published_value.head) as own_mean,
            any_value(place) filter (ours.head = published_value.head) as place
        from published_value
        join ours
            on ours.list = published_value.list and ours.layer between coalesce(published_value.layer, first_layer, 0)
            and coalesce(published_value.layer, end_layer - 1, published_value.layers)
        group by published_value.list, published_value.ordinal
    ),
    final as (
        select published_value.list, published_value.ordinal, published_value.kind,
            case kind when 'heads' then printf('L%dH%d', layer, head) when 'above' then printf('[%d, %d)', first_layer, end_layer) else model_name end as label,
            above, published_value.value as theirs,
            case kind when 'heads' then own_mean when 'above' then heads_above else sinks end as ours, ours - theirs as difference, place
        from published_value
        left join summed using (list, ordinal)
    )
select * from final order by list, ordinal
