-- question: which rule costs least on one half of the windows, and what does it cost on the other?
-- grain: one row
-- reads: window_price, intervention_price, calibrations, student_t
-- Chosen on even windows, reported on odd ones, at the same number of pairs per layer: chosen_rule by cross-entropy, chosen_by_kl_rule by
-- divergence. more_nats: by how much the chosen rule's rise exceeds that of the figure's own on the odd windows, with its 95 % interval.
with
    prices as (select * from intervention_price where run_id = $run_id),
    own as (
        select prices.* from prices join calibrations using (run_id, threshold) where rule = 'relative_norm' and treatment = 'zero'
    ),
    rivals as (
        select prices.* from prices
        where treatment = 'zero' and rule not in ('random', 'random_matched')
            and (intervention in (select intervention from own) or reference in (select intervention from own))
    ),
    halves as (
        select rivals.rule, rivals.ordinal, "window" % 2 as half, fsum(rise order by "window") / sum(tokens) as rise_nats,
            fsum(kl order by "window") / sum(tokens) as kl_nats, count(*) as windows
        from rivals
        join window_price using (run_id, intervention)
        group by all
    ),
    chosen as (
        select first(rule order by rise_nats, ordinal) as by_rise, first(rule order by kl_nats, ordinal) as by_kl, any_value(windows) as choosing_windows
        from halves
        where half = 0
    ),
    reported as (select * from halves where half = 1),
    paired as (
        select own_price."window", own_price.tokens, chosen_price.rise - own_price.rise as more
        from chosen
        join rivals on rivals.rule = by_rise
        join window_price as chosen_price on chosen_price.run_id = $run_id and chosen_price.intervention = rivals.intervention
        join window_price as own_price
            on own_price.run_id = $run_id and own_price."window" = chosen_price."window"
            and own_price.intervention = (select intervention from own)
        where own_price."window" % 2 = 1
    ),
    difference as (
        select fsum(more order by "window") / sum(tokens) as more_nats, count(*) as pairs, sum(tokens) as predictions from paired
    ),
    error as (
        select any_value(more_nats) as more_nats,
            any_value(t975) * sqrt(fsum(power(more - more_nats * tokens, 2) order by "window") * any_value(pairs) / nullif(any_value(pairs) - 1, 0))
            / any_value(predictions) as arm
        from paired
        cross join difference
        left join student_t on degrees_of_freedom = pairs - 1
    ),
    final as (
        select by_rise as chosen_rule, by_kl as chosen_by_kl_rule, by_rise = 'relative_norm' as own_chosen, by_kl = 'relative_norm' as own_chosen_by_kl,
            choosing_windows, (select any_value(windows) from reported) as reporting_windows,
            (select rise_nats from reported where rule = by_rise) as chosen_rise_nats, (select rise_nats from reported where rule = 'relative_norm') as own_rise_nats,
            (select kl_nats from reported where rule = by_kl) as chosen_kl_nats, (select kl_nats from reported where rule = 'relative_norm') as own_kl_nats,
            more_nats, more_nats - arm as more_low_nats, more_nats + arm as more_high_nats, (select count(*) from rivals) as rules
        from chosen
        cross join error
    )
select * from final
