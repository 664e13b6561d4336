-- question: which published lists are there, what do they come from, and how far is ours from each?
-- grain: one row per (list)
-- reads: published_value, run, head_measure
-- gap: the largest difference from ours, as in agreement_values; null where nothing can be subtracted.
with
    gaps as (
        select published_value.list, published_value.ordinal,
            case kind
                when 'heads' then any_value(mean) filter (head_measure.head = published_value.head)
                when 'above' then count(*) filter (mean > above)::double
                else 100 - fsum(mean order by head_measure.layer, head_measure.head) / count(*)
            end - any_value(published_value.value) as difference
        from published_value
        join head_measure
            on head_measure.run_id = published_value.run_id and head_measure.measure = published_value.measure
            and head_measure.layer between coalesce(published_value.layer, first_layer, 0)
            and coalesce(published_value.layer, end_layer - 1, published_value.layers)
        group by published_value.list, published_value.ordinal, kind
    ),
    widest as (select list, max(abs(difference)) as gap from gaps group by list),
    lists as (
        select list, any_value(model) as model, any_value(model_name) as model_name, any_value(title) as title, any_value(kind) as kind,
            any_value(unit) as unit, any_value(source) as source, any_value(differs) as differs, any_value(measure) as measure,
            any_value(run_file) as run_file, count(*) filter (value is null) > 0 as named, any_value(run_id) as run_id
        from published_value
        group by list
    ),
    final as (
        select lists.* exclude (run_id), run.title as run_title, if(lists.run_id is null, 0, 1) as measured, widest.gap
        from lists
        left join widest using (list)
        left join run on run.run_id = lists.run_id
    )
select * from final order by model desc, list
