-- question: how many heads fall in each band of each layer range?
-- grain: one row per (range_ordinal, band_ordinal)
-- reads: band_counts, band, layer_range, figure
-- low_pct and high_pct: 95 % Wilson interval of the share, for published counts of sampled heads only; a run counts all heads of its model.
with
    cells as (select * from band_counts where run_id = $run_id and figure = $figure),
    shares as (
        select cells.*, 100 * share as pct, sum(heads) over (partition by range_ordinal)::bigint as range_heads, power(1.959963984540054, 2) as z2
        from cells
    ),
    final as (
        select shares.range_ordinal, shares.range_label, first_layer, end_layer, shares.band_ordinal, shares.band_label, colour, stack_ordinal,
            heads, range_heads, pct,
            case when figure.kind = 'published' then
                100 * (share + z2 / (2 * range_heads) - sqrt(z2 * (share * (1 - share) + z2 / (4 * range_heads)) / range_heads)) / (1 + z2 / range_heads)
            end as low_pct,
            case when figure.kind = 'published' then
                100 * (share + z2 / (2 * range_heads) + sqrt(z2 * (share * (1 - share) + z2 / (4 * range_heads)) / range_heads)) / (1 + z2 / range_heads)
            end as high_pct
        from shares
        join band using (run_id, figure, band_ordinal)
        join layer_range using (run_id, figure, range_ordinal)
        join figure using (figure)
    )
select * from final order by range_ordinal, stack_ordinal
