-- question: which heads does the loss owe most to beyond doubt, by the first-order prediction?
-- grain: one row per (rank)
-- reads: head_effect
-- In the order of the lower end of the interval: a large prediction that hangs on one window comes late.
with
    ranked as (
        select row_number() over (order by low desc, layer, head) as rank, *
        from head_effect
        where run_id = $run_id and kind = 'attribution'
    ),
    final as (
        select rank, printf('L%dH%d', ranked.layer, ranked.head) as head_label, ranked.rise_millinats,
            ranked.low as low_millinats, ranked.high as high_millinats, ablated.rise_millinats as ablated_millinats
        from ranked
        left join head_effect as ablated
            on ablated.run_id = $run_id and ablated.kind = 'ablation_mean' and ablated.layer = ranked.layer and ablated.head = ranked.head
        where rank <= 8 and ranked.low > 0
    )
select * from final order by rank
