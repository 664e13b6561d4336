-- question: what does the loss owe to each head, to first order, and what did its ablation do where it was tried?
-- grain: one row per (run_id, layer, head, kind)
-- reads: calibrations, calibration_head, student_t
-- A rise of cross-entropy per prediction, in thousandths of a nat; the interval is over windows. Positive: without the head, predictions
-- get worse.
with
    summed as (
        select calibration_head.run_id, kind, layer, head, count(*) as windows, sum(n) as predictions,
            1000 * fsum(total order by "window") / sum(n) as rise_millinats
        from calibration_head
        join calibrations on calibrations.run_id = calibration_head.run_id and calibrations.calibration = calibration_head.calibration
        group by all
    ),
    errors as (
        select summed.run_id, summed.kind, summed.layer, summed.head,
            sqrt(fsum(power(1000 * total - rise_millinats * n, 2) order by "window") * any_value(summed.windows) / nullif(any_value(summed.windows) - 1, 0)) / any_value(summed.predictions) as se
        from calibration_head
        join calibrations on calibrations.run_id = calibration_head.run_id and calibrations.calibration = calibration_head.calibration
        join summed
            on summed.run_id = calibration_head.run_id and summed.kind = calibration_head.kind and summed.layer = calibration_head.layer
            and summed.head = calibration_head.head
        group by summed.run_id, summed.kind, summed.layer, summed.head
    ),
    final as (
        select summed.run_id, summed.layer, summed.head, summed.kind, windows, predictions, rise_millinats,
            rise_millinats - t975 * se as low, rise_millinats + t975 * se as high
        from summed
        join errors
            on errors.run_id = summed.run_id and errors.kind = summed.kind and errors.layer = summed.layer and errors.head = summed.head
        left join student_t on student_t.degrees_of_freedom = windows - 1
    )
select * from final
