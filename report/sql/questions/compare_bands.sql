-- question: how many heads go from each band in the first run to each band in the second?
-- grain: one row per (a_ordinal, b_ordinal)
-- reads: head_difference, band
with
    bands as (
        select band_ordinal, label
        from band
        where run_id = $run_a and figure = $figure
    ),
    counted as (
        select band_a, band_b, count(*) as heads
        from head_difference
        where run_a = $run_a and run_b = $run_b and figure = $figure
        group by band_a, band_b
    ),
    cells as (
        select a.band_ordinal as a_ordinal, b.band_ordinal as b_ordinal, a.label as a_label, b.label as b_label, coalesce(heads, 0) as heads
        from bands as a
        cross join bands as b
        left join counted on counted.band_a = a.band_ordinal and counted.band_b = b.band_ordinal
    ),
    final as (
        select a_ordinal, b_ordinal, a_label, b_label, heads, sum(heads) over (partition by a_ordinal)::bigint as a_heads,
            sum(heads) over (partition by b_ordinal)::bigint as b_heads, a_ordinal = b_ordinal as stays
        from cells
    )
select * from final order by a_ordinal, b_ordinal
