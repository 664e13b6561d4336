-- question: at which threshold are tokens counted, in each run, for a figure and for the variants of its measure?
-- grain: one row per (run_id, figure, measure)
-- reads: figure, shard_stat, shard_histogram, histogram_bin, measure
-- A variant is named after the figure's measure, activation_pct_1_64 after activation_pct. A fixed threshold belongs to the figure. A
-- threshold that follows the run is the stored edge nearest to half the run's mean of a measure.
with
    binned as (select distinct run_id, kind from shard_histogram),
    thresholded as (
        select binned.run_id, figure.figure, measure.id as measure, figure.threshold, figure.threshold_half_mean_of, measure.histogram_kind
        from figure
        join measure on measure.id = figure.measure or starts_with(measure.id, figure.measure || '_')
        join binned on binned.kind = measure.histogram_kind
    ),
    half_mean as (
        select run_id, measure as threshold_half_mean_of, fsum(total order by shard, layer, head) / sum(n) / 2 as target
        from shard_stat
        where measure in (select figure.threshold_half_mean_of from figure)
        group by run_id, measure
        having sum(n) > 0
    ),
    nearest_edge as (
        select thresholded.run_id, thresholded.figure, thresholded.measure,
            arg_min(histogram_bin.low, abs(histogram_bin.low - half_mean.target)) as threshold
        from thresholded
        join half_mean using (run_id, threshold_half_mean_of)
        join histogram_bin on histogram_bin.kind = thresholded.histogram_kind
        group by all
    ),
    final as (
        select thresholded.run_id, thresholded.figure, thresholded.measure, thresholded.histogram_kind,
            coalesce(thresholded.threshold, nearest_edge.threshold) as threshold
        from thresholded
        left join nearest_edge using (run_id, figure, measure)
    )
select * from final
