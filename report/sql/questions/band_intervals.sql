-- question: how many heads fall in each band, and between which numbers might that be on another text of the same kind?
-- grain: one row per (place, band_ordinal)
-- reads: band_interval, band, layer_range
-- place: 0 for all layers together, then the ranges from 1. No rows where the run has no interval.
with
    places as (
        select 0 as place, null::integer as range_ordinal, 'all layers' as range_label
        union all
        select range_ordinal + 1, range_ordinal, label
        from layer_range
        where run_id = $run_id and figure = $figure
    ),
    final as (
        select place, range_label, band_interval.band_ordinal, band.label as band_label, colour, stack_ordinal,
            heads, band_interval.low as low_heads, band_interval.high as high_heads, sum(heads) over (partition by place)::bigint as range_heads,
            heads > 0 or band_interval.high > 0 as is_met, draws, seed
        from band_interval
        join places on places.range_ordinal is not distinct from band_interval.range_ordinal
        join band
            on band.run_id = band_interval.run_id and band.figure = band_interval.figure and band.band_ordinal = band_interval.band_ordinal
        where band_interval.run_id = $run_id and band_interval.figure = $figure
    )
select * from final order by place, stack_ordinal
