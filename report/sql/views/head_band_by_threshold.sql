-- question: in which band does each head of a figure fall at each of the thresholds around the figure's own?
-- grain: one row per (run_id, figure, threshold, layer, head)
-- reads: figure, measure, threshold, shard_histogram, histogram_bin, layer_range, band
-- The histogram is summed over shards, then from the top down; a threshold is a stored edge, so that the tokens that reach it are those of
-- the lowest filled bin at or above it and of all bins above that.
with
    binned as (
        select run_id, kind, layer, head, bin, sum(n)::bigint as n
        from shard_histogram
        where kind in (select histogram_kind from measure join figure on figure.measure = measure.id)
        group by all
    ),
    filled as (
        select run_id, kind, layer, head, low, sum(n) over (partition by run_id, kind, layer, head order by low desc)::bigint as reaching
        from binned
        join histogram_bin using (kind, bin)
    ),
    scored as (select run_id, kind, layer, head, max(reaching) as n from filled group by all),
    asked as (
        select threshold.run_id, threshold.figure, threshold.ordinal, threshold.threshold, threshold.is_own, scored.kind, layer, head, n
        from threshold
        join figure on figure.figure = threshold.figure
        join measure on measure.id = figure.measure
        join scored on scored.run_id = threshold.run_id and scored.kind = measure.histogram_kind
    ),
    valued as (
        select asked.run_id, asked.figure, asked.ordinal, asked.threshold, asked.is_own, asked.layer, asked.head,
            100.0 * coalesce(filled.reaching, 0) / asked.n as value
        from asked
        asof left join filled
            on filled.run_id = asked.run_id and filled.kind = asked.kind and filled.layer = asked.layer and filled.head = asked.head
            and asked.threshold <= filled.low
    ),
    final as (
        select valued.run_id, valued.figure, valued.ordinal as threshold_ordinal, valued.threshold, valued.is_own, valued.layer, valued.head,
            layer_range.range_ordinal, band.band_ordinal, valued.value
        from valued
        join layer_range
            on layer_range.run_id = valued.run_id
            and layer_range.figure = valued.figure
            and valued.layer >= layer_range.first_layer
            and valued.layer < layer_range.end_layer
        join band
            on band.run_id = valued.run_id
            and band.figure = valued.figure
            and valued.value >= band.low
            and (valued.value < band.high or (band.closed_high and valued.value = band.high))
    )
select * from final
