-- question: how many heads of this run get a label, how many stay unclassified, and how many are sinks?
-- grain: one row
-- reads: head_label, runs, detector, detector_score, layer_range, figure
-- Layer ranges are those of the run's first figure. Where the run does not measure the sink, its counts are null.
with
    labels as (select *, label <> 'unclassified' as is_labelled from head_label where run_id = $run_id),
    counted as (
        select count(*) as heads, count(*) filter (is_labelled) as labelled_heads, count(*) filter (not is_labelled) as unclassified_heads,
            count(*) filter (labels_passed like '%;%') as several_heads, if(count(is_sink) > 0, count(*) filter (is_sink), null) as sink_heads,
            count(*) filter (is_sink and is_labelled) as labelled_sink_heads, count(distinct label) filter (is_labelled) as labels_given
        from labels
    ),
    ranges as (
        select label as range_label, first_layer, end_layer
        from layer_range
        where run_id = $run_id
            and figure = (select arg_min(figure.figure, figure.ordinal) from figure join layer_range using (figure) where run_id = $run_id)
    ),
    per_range as (
        select ranges.range_label, ranges.first_layer, count(labels.head) filter (is_labelled) as labelled_heads
        from ranges
        left join labels on labels.layer >= ranges.first_layer and labels.layer < ranges.end_layer
        group by all
    ),
    spread as (
        select count(*) as ranges, count(*) filter (labelled_heads > 0) as ranges_with_labels,
            first(range_label order by labelled_heads desc, first_layer) as richest_label, max(labelled_heads) as richest_heads,
            count(*) filter (labelled_heads = (select max(labelled_heads) from per_range)) as richest_ranges,
            first(range_label order by labelled_heads, first_layer desc) as poorest_label, min(labelled_heads) as poorest_heads,
            count(*) filter (labelled_heads = (select min(labelled_heads) from per_range)) as poorest_ranges
        from per_range
    ),
    asked as (
        select detector.detector, apart, level, margin, bool_or(passes) as finds
        from detector_score
        join detector using (detector)
        where run_id = $run_id
        group by all
    ),
    near as (
        select count(distinct (layer, head)) filter (excess > margin) as above_heads, count(distinct (layer, head)) filter (excess > margin / 2) as above_half_heads
        from detector_score
        join detector using (detector)
        where run_id = $run_id and not apart
    ),
    rule as (
        select 100 * max(level) as level_pct, count(*) filter (not apart) as detectors,
            count(*) filter (not apart and not finds) as silent_detectors, 100 * max(margin) filter (apart) as sink_margin_points
        from asked
    ),
    final as (
        select runs.title as run_title, runs.layers, runs.layers * runs.heads_per_layer as model_heads, runs.shards_done, runs.scored_tokens,
            runs.corpus, runs.status, counted.*, 100 * labelled_heads / heads as labelled_pct, 100 * unclassified_heads / heads as unclassified_pct,
            100 * sink_heads / heads as sink_pct, spread.*, near.*, rule.*
        from counted
        cross join spread
        cross join near
        cross join rule
        join runs on runs.run_id = $run_id
    )
select * from final
