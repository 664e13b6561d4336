-- question: what does silencing all heads of a band in a layer range cost, beside as many other heads of the same layers?
-- grain: one row per (first_layer, band_low)
-- reads: intervention_price
with
    prices as (select * from intervention_price where run_id = $run_id),
    final as (
        select sets.first_layer, sets.band_low, printf('[%d, %d)', sets.first_layer, sets.end_layer) as range_label,
            printf('[%g, %g%s', sets.band_low, sets.band_high, if(sets.band_high = 100, ']', ')')) as band_label, sets.heads,
            sets.rise_nats, sets.rise_low_nats, sets.rise_high_nats, sets.kl_nats, sets.within_budget,
            beside.rise_nats as random_rise_nats, beside.rise_low_nats as random_rise_low_nats, beside.rise_high_nats as random_rise_high_nats, beside.kl_nats as random_kl_nats
        from prices as sets
        left join prices as beside on beside.rule = 'band_random' and beside.reference = sets.intervention
        where sets.rule = 'band'
    )
select * from final order by first_layer, band_low
