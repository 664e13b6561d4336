-- question: how many heads fall in each band of each layer range?
-- grain: one row per (range_ordinal, band_ordinal)
-- reads: band_counts, band, layer_range, figure, band_interval
-- low_pct and high_pct: 95 % Wilson interval of the share, for published counts of sampled heads only; a run counts all heads of its model.
-- low_heads and high_heads: 95 % interval of the count that comes from the sample of text, for runs that have one.
with
    cells as (select * from band_counts where run_id = $run_id and figure = $figure),
    shares as (
        select cells.*, 100 * share as pct, sum(heads) over (partition by range_ordinal)::bigint as range_heads, power(1.959963984540054, 2) as z2
        from cells
    ),
    final as (
        select shares.range_ordinal, shares.range_label, first_layer, end_layer, shares.band_ordinal, shares.band_label, colour, stack_ordinal,
            shares.heads, range_heads, pct,
            case when figure.kind = 'published' then
                100 * (share + z2 / (2 * range_heads) - sqrt(z2 * (share * (1 - share) + z2 / (4 * range_heads)) / range_heads)) / (1 + z2 / range_heads)
            end as low_pct,
            case when figure.kind = 'published' then
                100 * (share + z2 / (2 * range_heads) + sqrt(z2 * (share * (1 - share) + z2 / (4 * range_heads)) / range_heads)) / (1 + z2 / range_heads)
            end as high_pct,
            band_interval.low as low_heads, band_interval.high as high_heads
        from shares
        join band using (run_id, figure, band_ordinal)
        join layer_range using (run_id, figure, range_ordinal)
        join figure using (figure)
        left join band_interval
            on band_interval.run_id = shares.run_id and band_interval.figure = shares.figure
            and band_interval.range_ordinal = shares.range_ordinal and band_interval.band_ordinal = shares.band_ordinal
    )
select * from final order by range_ordinal, stack_ordinal
