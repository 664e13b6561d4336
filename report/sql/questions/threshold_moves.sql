-- question: how many heads lie in another band than at the figure's own threshold, at each of the thresholds around it?
-- grain: one row per (threshold_ordinal)
-- reads: threshold, head_band_by_threshold, figure, measure
-- is_priced: true where the threshold is one on the output relative to the layer's mean, the rule whose price a calibration measures.
with
    placed as (select * from head_band_by_threshold where run_id = $run_id and figure = $figure),
    own as (select layer, head, band_ordinal as own_band from placed where is_own),
    changed as (
        select threshold_ordinal, count(*) as heads, count(*) filter (band_ordinal <> own_band) as changed_heads
        from placed
        join own using (layer, head)
        group by threshold_ordinal
    ),
    final as (
        select threshold.ordinal as threshold_ordinal, threshold.threshold, threshold.is_own,
            coalesce(measure.histogram_kind = 'relative_norm', false) as is_priced,
            coalesce(changed.heads, 0) as heads, coalesce(changed.changed_heads, 0) as changed_heads
        from threshold
        join figure using (figure)
        join measure on measure.id = figure.measure
        left join changed on changed.threshold_ordinal = threshold.ordinal
        where threshold.run_id = $run_id and threshold.figure = $figure
    )
select * from final order by threshold_ordinal
