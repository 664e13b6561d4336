-- question: what does each detector ask for, what is chance in this run, and what did planted heads get?
-- grain: one row per (detector)
-- reads: detector, detector_score, planted_score
-- Planted heads, in percentage points over uniform attention on the same text: own is the kind that the detector is for, in prose or on
-- repeated tokens; other is the best of the other kinds on any text.
with
    planted as (
        select measure, planted_as, text_kind, 100 * fsum(total order by family) / sum(n) as pct
        from planted_score
        where planted_as in (select planted from detector) or planted_as = 'uniform'
        group by all
    ),
    over_chance as (
        select scored.measure, scored.planted_as, scored.text_kind, scored.pct - uniform.pct as points
        from planted as scored
        join planted as uniform
            on uniform.measure = scored.measure and uniform.text_kind = scored.text_kind and uniform.planted_as = 'uniform'
        where scored.planted_as <> 'uniform'
    ),
    ceilings as (
        select detector.detector,
            max(points) filter (planted_as = planted and text_kind = if(ends_with(detector.measure, '_repeated'), 'repeated', 'prose')) as own_points,
            max(points) filter (planted_as <> planted) as other_points
        from detector
        join over_chance on over_chance.measure = detector.measure
        group by detector.detector
    ),
    run_chance as (
        select detector, 100 * fsum(chance * n order by layer, head) / sum(n) as chance_pct
        from detector_score
        where run_id = $run_id
        group by detector
    ),
    final as (
        select detector.ordinal, detector.detector, detector.measure, detector.label, detector.title, detector.apart, 100 * detector.margin as margin_pct,
            detector.why, run_chance.chance_pct, ceilings.own_points, ceilings.other_points
        from detector
        join run_chance using (detector)
        left join ceilings using (detector)
    )
select * from final order by ordinal
