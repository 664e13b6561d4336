-- question: what does silencing the pairs below the figure's threshold cost, and up to which threshold does it stay within the budget?
-- grain: one row
-- reads: calibrations, intervention_price, price_budget, effect_check
-- largest_threshold: the greatest of those tried up to which every one stays within the budget.
with
    prices as (select * from intervention_price where run_id = $run_id),
    own as (
        select prices.* from prices join calibrations using (run_id, threshold) where rule = 'relative_norm' and treatment = 'zero'
    ),
    swept as (
        select threshold, pair_pct, rise_nats, bool_and(within_budget) over (order by threshold) as so_far
        from prices
        where rule = 'relative_norm' and treatment = 'zero'
    ),
    largest as (select threshold as largest_threshold, pair_pct as largest_pair_share_pct from swept where so_far qualify threshold = max(threshold) over ()),
    tried as (select count(*) as thresholds, min(threshold) as least_tried_threshold, max(threshold) as most_tried_threshold from swept),
    matched as (
        select pair_pct, rise_nats, kl_nats from prices where rule = 'random_matched' and reference = (select intervention from own)
    ),
    replaced as (
        select rise_nats, rise_low_nats, rise_high_nats, kl_nats from prices
        where rule = 'relative_norm' and treatment = 'mean' and threshold = (select threshold from own)
    ),
    final as (
        select calibrations.windows, calibrations.window_tokens, calibrations.predictions, calibrations.quick, calibrations.clean_nats,
            calibrations.hardware, calibrations.measured_on, own.threshold, own.pair_pct as silenced_pct, own.norm_pct, own.rise_nats, own.rise_low_nats, own.rise_high_nats,
            own.kl_nats, own.kl_low_nats, own.kl_high_nats, own.worst_kl_nats, own.changed_pct, own.within_budget, price_budget.budget_nats,
            largest_threshold, largest_pair_share_pct, thresholds, least_tried_threshold, most_tried_threshold,
            matched.pair_pct as matched_pct, matched.rise_nats as matched_rise_nats, matched.kl_nats as matched_kl_nats,
            replaced.rise_nats as mean_rise_nats, replaced.kl_nats as mean_kl_nats
        from own
        join calibrations using (run_id)
        cross join price_budget
        cross join tried
        left join largest on true
        left join matched on true
        left join replaced on true
    )
select * from final
