-- question: what does silencing the pairs below each threshold cost, beside random pairs of the same number, of the same norm, and a shrink?
-- grain: one row per (threshold, rule)
-- reads: intervention_price
with
    prices as (select * from intervention_price where run_id = $run_id),
    final as (
        select prices.threshold, prices.rule,
            case prices.rule
                when 'relative_norm' then 'pairs below the threshold' when 'random' then 'random pairs, as many'
                when 'random_matched' then 'random pairs, same norm' else 'all pairs shrunk, same norm' end as what,
            prices.pair_pct as silenced_pct, prices.norm_pct, prices.rise_nats, prices.rise_low_nats, prices.rise_high_nats,
            prices.kl_nats, prices.worst_kl_nats, prices.changed_pct, prices.within_budget,
            case prices.rule when 'relative_norm' then 0 when 'random_matched' then 1 when 'shrink' then 2 else 3 end as place
        from prices
        left join prices as copied on copied.intervention = prices.reference
        where (prices.rule = 'relative_norm' and prices.treatment = 'zero')
            or (prices.rule in ('random', 'random_matched', 'shrink') and copied.rule = 'relative_norm')
    )
select * from final order by threshold, place
