-- question: how many heads of each layer fall in each band of this figure?
-- grain: one row per (layer, band_ordinal)
-- reads: head, band, head_band
with
    layers as (select distinct layer from head where run_id = $run_id),
    bands as (select band_ordinal, label as band_label from band where run_id = $run_id and figure = $figure),
    placed as (select layer, band_ordinal, head from head_band where run_id = $run_id and figure = $figure),
    final as (
        select layers.layer, bands.band_ordinal, bands.band_label, count(placed.head) as heads
        from layers
        cross join bands
        left join placed using (layer, band_ordinal)
        group by all
    )
select * from final order by layer, band_ordinal
