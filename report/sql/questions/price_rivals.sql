-- question: at the same number of pairs per layer, which rule costs least, and is its difference from the figure's own rule told by the windows?
-- grain: one row per (intervention)
-- reads: intervention_price, window_price, student_t, calibrations
-- more_nats: by how much the rise exceeds that of the figure's own rule on the same windows, with its 95 % interval.
with
    prices as (select * from intervention_price where run_id = $run_id),
    own as (
        select prices.* from prices join calibrations using (run_id, threshold) where rule = 'relative_norm' and treatment = 'zero'
    ),
    compared as (
        select prices.* from prices
        where intervention in (select intervention from own) or reference in (select intervention from own)
            or (rule = 'relative_norm' and treatment = 'mean' and threshold = (select threshold from own))
    ),
    differences as (
        select compared.intervention, window_price."window", window_price.rise - base.rise as more, window_price.kl - base.kl as more_kl, window_price.tokens
        from compared
        join window_price on window_price.run_id = compared.run_id and window_price.intervention = compared.intervention
        join window_price as base
            on base.run_id = compared.run_id and base."window" = window_price."window" and base.intervention = (select intervention from own)
    ),
    summed as (
        select intervention, count(*) as windows, sum(tokens) as predictions, fsum(more order by "window") / sum(tokens) as more_nats,
            fsum(more_kl order by "window") / sum(tokens) as more_kl_nats
        from differences
        group by intervention
    ),
    errors as (
        select differences.intervention,
            sqrt(fsum(power(more - more_nats * tokens, 2) order by "window") * any_value(windows) / nullif(any_value(windows) - 1, 0)) / any_value(predictions) as se,
            sqrt(fsum(power(more_kl - more_kl_nats * tokens, 2) order by "window") * any_value(windows) / nullif(any_value(windows) - 1, 0)) / any_value(predictions) as kl_se
        from differences
        join summed using (intervention)
        group by differences.intervention
    ),
    final as (
        select compared.intervention, compared.ordinal,
            case
                when compared.treatment = 'mean' then 'the same pairs, replaced by the head''s mean'
                when compared.treatment = 'shrink' then 'all pairs shrunk, same norm'
                else case compared.rule
                    when 'relative_norm' then 'least output relative to the layer' when 'raw_norm' then 'least ‖z‖, before the output projection'
                    when 'residual_share' then 'least output relative to the residual stream' when 'deviation' then 'least deviation from the head''s mean'
                    when 'sink_mass' then 'most attention to the first token' when 'gradient_output' then 'least gradient × output'
                    when 'random' then 'random pairs, as many' else 'random pairs, same norm' end
            end as rule_name,
            compared.rule, compared.treatment, compared.intervention in (select intervention from own) as is_own,
            compared.rule in ('random', 'random_matched', 'shrink') as is_control,
            compared.pair_pct as silenced_pct, compared.rise_nats, compared.rise_low_nats, compared.rise_high_nats, compared.kl_nats, compared.changed_pct,
            compared.within_budget, more_nats, more_nats - t975 * se as more_low_nats, more_nats + t975 * se as more_high_nats,
            more_kl_nats, more_kl_nats - t975 * kl_se as more_kl_low_nats, more_kl_nats + t975 * kl_se as more_kl_high_nats
        from compared
        join summed using (intervention)
        join errors using (intervention)
        left join student_t on student_t.degrees_of_freedom = summed.windows - 1
    )
select * from final order by is_control, rise_nats, ordinal
