-- question: of how many published lists is the model measured here?
-- grain: one row
-- reads: published_value
with
    final as (
        select count(distinct list) as lists, count(distinct list) filter (run_id is not null) as measured_lists, count(distinct model) as models
        from published_value
    )
select * from final
