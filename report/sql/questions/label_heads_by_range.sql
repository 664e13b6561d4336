-- question: how many heads of each layer range get each label?
-- grain: one row per (label, range_label)
-- reads: head_label, detector, detector_score, layer_range, figure
-- Layer ranges are those of the run's first figure. The sink, which is no label, stands last and is counted beside the labels.
with
    ranges as (
        select range_ordinal, label as range_label, first_layer, end_layer
        from layer_range
        where run_id = $run_id
            and figure = (select arg_min(figure.figure, figure.ordinal) from figure join layer_range using (figure) where run_id = $run_id)
    ),
    offered as (
        select distinct label, ordinal, apart
        from detector
        join detector_score using (detector)
        where run_id = $run_id and (not apart or detector = 'sink')
        union all
        select 'unclassified' as label, 1 + max(ordinal) filter (not apart) as ordinal, false as apart
        from detector
    ),
    labels as (select * from head_label where run_id = $run_id),
    final as (
        select offered.apart, offered.ordinal, offered.label, ranges.range_ordinal, ranges.range_label,
            count(labels.head) filter (if(offered.apart, labels.is_sink, labels.label = offered.label)) as heads,
            count(labels.head) as range_heads
        from offered
        cross join ranges
        left join labels on labels.layer >= ranges.first_layer and labels.layer < ranges.end_layer
        group by all
    )
select * from final order by apart, label = 'unclassified', ordinal, range_ordinal
