-- question: how many heads fall in each band of activation, layer range by layer range?
-- grain: one row per (run_id, range_label, band_label)
-- reads: band_counts
with
    final as (
        select run_id, range_ordinal, range_label, band_ordinal, band_label, heads, round(100 * share, 1) as share_pct
        from band_counts
        where figure = 'activation'
    )
select run_id, range_label, band_label, heads, share_pct from final order by run_id, range_ordinal, band_ordinal
