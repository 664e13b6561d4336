-- question: what does each intervention cost in each window?
-- grain: one row per (run_id, intervention, window)
-- reads: calibrations, intervention, intervention_window
-- Random draws of one kind are one intervention, under the name of the first; their sums are means over the draws.
with
    named as (
        select intervention.*,
            first(intervention) over (
                partition by run_id, calibration, treatment, rule, threshold, reference, band_low, band_high, first_layer order by ordinal
            ) as name
        from intervention
    ),
    final as (
        select named.run_id, named.name as intervention, intervention_window."window", count(*) as draws, any_value(tokens) as tokens,
            avg(pairs) as pairs, any_value(all_pairs) as all_pairs, fsum(removed_squares order by ordinal) / count(*) as removed_squares,
            any_value(all_squares) as all_squares,
            fsum(cross_entropy - clean_cross_entropy order by ordinal) / count(*) as rise, fsum(kl order by ordinal) / count(*) as kl,
            avg(top_changed) as top_changed
        from named
        join calibrations on calibrations.run_id = named.run_id and calibrations.calibration = named.calibration
        join intervention_window
            on intervention_window.run_id = named.run_id and intervention_window.calibration = named.calibration
            and intervention_window.intervention = named.intervention
        group by all
    )
select * from final
