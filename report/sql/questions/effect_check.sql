-- question: does the first-order prediction of what a head is worth agree with its ablation?
-- grain: one row per (kind)
-- reads: effect_check
with
    final as (
        select kind, heads, rank_correlation, low as low_correlation, high as high_correlation, draws
        from effect_check
        where run_id = $run_id
    )
select * from final order by kind
