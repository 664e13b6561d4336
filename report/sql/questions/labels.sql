-- question: how many heads get each label, and how many pass its detector?
-- grain: one row per (label)
-- reads: head_label, detector, detector_score
-- A head that passes several detectors is labelled once, by the one with the largest excess. Detectors that this run lacks have no row.
with
    labels as (select * from head_label where run_id = $run_id),
    offered as (
        select detector.label, detector.title, detector.ordinal, count(*) filter (detector_score.passes) as passing_heads
        from detector
        join detector_score using (detector)
        where detector_score.run_id = $run_id and not detector.apart
        group by all
        union all
        select 'unclassified' as label, 'nothing that a detector looks for' as title, 1 + max(ordinal) as ordinal, null as passing_heads
        from detector
    ),
    final as (
        select offered.ordinal, offered.label, offered.title, count(labels.head) as heads, 100 * count(labels.head) / (select count(*) from labels) as pct,
            offered.passing_heads, count(labels.head) filter (labels.is_sink) as sink_heads
        from offered
        left join labels using (label)
        group by all
    )
select * from final order by ordinal
