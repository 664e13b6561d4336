-- question: for how many heads is the first-order prediction of what they are worth above or below nought beyond doubt?
-- grain: one row
-- reads: head_effect
with
    final as (
        select count(*) as heads, count(*) filter (low > 0) as above_heads, count(*) filter (high < 0) as below_heads
        from head_effect
        where run_id = $run_id and kind = 'attribution'
    )
select * from final
