-- question: which published counts does the file hold?
-- grain: one row per (figure)
-- reads: published_count
with
    final as (
        select figure, any_value(title) as title, any_value(source) as source, sum(heads)::bigint as heads, any_value(model_heads) as model_heads
        from published_count
        group by figure
    )
select * from final order by figure
