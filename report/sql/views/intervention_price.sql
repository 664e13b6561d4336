-- question: what does the model lose when the head-token pairs of an intervention are silenced, all at once?
-- grain: one row per (run_id, intervention)
-- reads: window_price, calibrations, intervention, intervention_kl, histogram_bin, student_t, price_budget
-- Losses are per prediction, in nats, with 95 % intervals over the windows (linearised ratio error, Student's t). within_budget: the upper
-- end of the rise stays within the budget.
with
    summed as (
        select run_id, intervention, count(*) as windows, sum(tokens) as predictions, max(draws) as draws,
            100 * sum(pairs) / sum(all_pairs) as pair_pct,
            100 * fsum(removed_squares order by "window") / fsum(all_squares order by "window") as norm_pct,
            fsum(rise order by "window") / sum(tokens) as rise_nats, fsum(kl order by "window") / sum(tokens) as kl_nats,
            100 * sum(top_changed) / sum(tokens) as changed_pct
        from window_price
        group by run_id, intervention
    ),
    errors as (
        select window_price.run_id, window_price.intervention,
            sqrt(fsum(power(rise - rise_nats * tokens, 2) order by "window") * any_value(windows) / nullif(any_value(windows) - 1, 0)) / any_value(predictions) as rise_se,
            sqrt(fsum(power(kl - kl_nats * tokens, 2) order by "window") * any_value(windows) / nullif(any_value(windows) - 1, 0)) / any_value(predictions) as kl_se
        from window_price
        join summed on summed.run_id = window_price.run_id and summed.intervention = window_price.intervention
        group by all
    ),
    binned as (
        select intervention_kl.run_id, intervention_kl.intervention, histogram_bin.high,
            sum(n) over (partition by intervention_kl.run_id, intervention_kl.intervention order by histogram_bin.low) as reached,
            sum(n) over (partition by intervention_kl.run_id, intervention_kl.intervention) as everything
        from intervention_kl
        join calibrations on calibrations.run_id = intervention_kl.run_id and calibrations.calibration = intervention_kl.calibration
        join histogram_bin on histogram_bin.kind = 'kl' and histogram_bin.bin = intervention_kl.bin
    ),
    worst as (
        select run_id, intervention, min(high) as worst_kl_nats
        from binned
        where reached >= 0.99 * everything
        group by run_id, intervention
    ),
    final as (
        select summed.run_id, summed.intervention, intervention.ordinal, intervention.treatment, intervention.rule, intervention.threshold,
            intervention.reference, intervention.band_low, intervention.band_high, intervention.first_layer, intervention.end_layer,
            intervention.heads, summed.draws, summed.windows, summed.pair_pct, summed.norm_pct,
            rise_nats, rise_nats - t975 * rise_se as rise_low_nats, rise_nats + t975 * rise_se as rise_high_nats,
            kl_nats, kl_nats - t975 * kl_se as kl_low_nats, kl_nats + t975 * kl_se as kl_high_nats, worst_kl_nats, changed_pct,
            coalesce(rise_nats + t975 * rise_se <= price_budget.budget_nats, false) as within_budget
        from summed
        join errors on errors.run_id = summed.run_id and errors.intervention = summed.intervention
        join calibrations on calibrations.run_id = summed.run_id
        join intervention
            on intervention.run_id = summed.run_id and intervention.calibration = calibrations.calibration
            and intervention.intervention = summed.intervention
        left join worst on worst.run_id = summed.run_id and worst.intervention = summed.intervention
        left join student_t on student_t.degrees_of_freedom = summed.windows - 1
        cross join price_budget
    )
select * from final
