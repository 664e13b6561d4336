-- question: how many heads lie in the band at the far end of the stack, range by range?
-- grain: one row per (range_ordinal)
-- reads: band_counts, band
with
    final as (
        select range_ordinal, range_label, band_label, heads, sum(heads) over ()::bigint as all_heads
        from band_counts
        join band using (run_id, figure, band_ordinal)
        where run_id = $run_id and figure = $figure
        qualify stack_ordinal = max(stack_ordinal) over ()
    )
select * from final order by range_ordinal
