-- question: which calibration of each run counts, and on how much text was it made?
-- grain: one row per (run_id)
-- reads: calibration, intervention_window
-- Only complete ones count: one that is not quick before a quick one, then the latest.
with
    done as (
        select run_id, calibration, "window", max(tokens) as tokens, max(clean_cross_entropy) as clean_cross_entropy
        from intervention_window
        group by all
    ),
    summed as (
        select run_id, calibration, count(*) as windows_done, sum(tokens)::bigint as predictions,
            fsum(clean_cross_entropy order by "window") / sum(tokens) as clean_nats
        from done
        group by run_id, calibration
    ),
    final as (
        select calibration.*, summed.predictions, summed.clean_nats
        from calibration
        join summed using (run_id, calibration)
        where summed.windows_done = calibration.windows
        qualify row_number() over (partition by calibration.run_id order by calibration.quick, calibration.calibration desc) = 1
    )
select * from final
