-- question: in which layer range and band does each head of a figure fall?
-- grain: one row per (run_id, figure, layer, head)
-- reads: figure, layer_range, band, head_mean, student_t, measure
-- Bands are low closed and high open, the last one closed. crosses_edge: the 95 % interval, cut at the measure's own range, reaches into
-- another band.
with
    bounded as (
        select head_mean.run_id, figure.figure, layer, head, mean,
            case when se is not null then greatest(measure.low, mean - t975 * se) end as low,
            case when se is not null then least(measure.high, mean + t975 * se) end as high
        from head_mean
        join figure on figure.measure = head_mean.measure and (head_mean.figure is null or head_mean.figure = figure.figure)
        join measure on measure.id = head_mean.measure
        left join student_t on student_t.degrees_of_freedom = head_mean.shards - 1
    ),
    final as (
        select bounded.run_id, bounded.figure, bounded.layer, bounded.head, layer_range.range_ordinal, band.band_ordinal, bounded.mean as value,
            bounded.low, bounded.high,
            coalesce(
                (band.low > band_range.low and bounded.low < band.low) or (not band.closed_high and bounded.high >= band.high), false
            ) as crosses_edge
        from bounded
        join layer_range
            on layer_range.run_id = bounded.run_id
            and layer_range.figure = bounded.figure
            and bounded.layer >= layer_range.first_layer
            and bounded.layer < layer_range.end_layer
        join band
            on band.run_id = bounded.run_id
            and band.figure = bounded.figure
            and bounded.mean >= band.low
            and (bounded.mean < band.high or (band.closed_high and bounded.mean = band.high))
        join (select run_id, figure, min(low) as low from band group by run_id, figure) as band_range
            on band_range.run_id = bounded.run_id and band_range.figure = bounded.figure
    )
select * from final
