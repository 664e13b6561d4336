-- question: for each head that was ablated, what was predicted to first order, and what did the ablation do on the same windows?
-- grain: one row per (layer, head)
-- reads: calibrations, calibration_head
-- Rises of cross-entropy per prediction, in thousandths of a nat.
with
    entries as (
        select calibration_head.*
        from calibration_head
        join calibrations on calibrations.run_id = calibration_head.run_id and calibrations.calibration = calibration_head.calibration
        where calibration_head.run_id = $run_id
    ),
    ablated_windows as (select distinct "window" from entries where kind = $ablation),
    summed as (
        select kind, layer, head, 1000 * fsum(total order by "window") / sum(n) as rise_millinats
        from entries
        where "window" in (select "window" from ablated_windows)
        group by all
    ),
    final as (
        select ablated.layer, ablated.head, printf('L%dH%d', ablated.layer, ablated.head) as head_label,
            predicted.rise_millinats as predicted_millinats, ablated.rise_millinats as ablated_millinats
        from summed as ablated
        join summed as predicted on predicted.layer = ablated.layer and predicted.head = ablated.head
        where ablated.kind = $ablation and predicted.kind = replace($ablation, 'ablation', 'attribution').replace('_mean', '')
    )
select * from final order by layer, head
