-- question: which heads might fall in another band on another text of the same kind, the most uncertain first?
-- grain: one row per (rank)
-- reads: head_band, band, layer_range
-- A head whose 95 % interval reaches over an edge; of two such edges, the nearer. distance_ratio: from the value to the edge, in lengths of the
-- interval's arm on that side (0 on the edge, 1 where the interval ends on it).
with
    placed as (
        select head_band.*, band.label as band_label, band.low as band_low, band.high as band_high,
            case when head_band.low < band.low then (value - band.low) / (value - head_band.low) end as down_ratio,
            case when head_band.high >= band.high and not band.closed_high then (band.high - value) / (head_band.high - value) end as up_ratio
        from head_band
        join band on band.run_id = head_band.run_id and band.figure = head_band.figure and band.band_ordinal = head_band.band_ordinal
        where head_band.run_id = $run_id and head_band.figure = $figure and crosses_edge
    ),
    nearest as (select *, least(down_ratio, up_ratio) as distance_ratio, coalesce(up_ratio <= down_ratio, down_ratio is null) as is_above from placed),
    final as (
        select row_number() over (order by distance_ratio, layer, head) as rank, printf('L%dH%d', layer, head) as head_label, layer, head,
            layer_range.label as range_label, band_label, value, nearest.low, nearest.high,
            if(is_above, band_high, band_low) as edge, other.label as other_band_label, distance_ratio
        from nearest
        join layer_range
            on layer_range.run_id = nearest.run_id and layer_range.figure = nearest.figure and layer_range.range_ordinal = nearest.range_ordinal
        join band as other
            on other.run_id = nearest.run_id and other.figure = nearest.figure
            and other.band_ordinal = nearest.band_ordinal + if(is_above, 1, -1)
    )
select * from final order by rank
