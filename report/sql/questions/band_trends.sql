-- question: does the share of each band move over layer ranges?
-- grain: one row per (band_ordinal)
-- reads: band_counts, band, test_result
-- effect is Somers' D of in the band or not: of two heads from different ranges, how much more often is the deeper one alone in the band
-- than the shallower one. p is of the band by itself, adjusted_p after Holm's correction, which a primary test has not; shift_p comes from
-- shifting the layer order around, for measured figures.
with
    cells as (
        select band_counts.*, band.stack_ordinal, sum(heads) over (partition by range_ordinal) as range_heads
        from band_counts
        join band using (run_id, figure, band_ordinal)
        where run_id = $run_id and figure = $figure
    ),
    pairs as (
        select deep.band_ordinal, sum(deep.heads * shallow.range_heads - shallow.heads * deep.range_heads)::double as difference,
            sum(deep.range_heads * shallow.range_heads)::double as all_pairs
        from cells as shallow
        join cells as deep on deep.band_ordinal = shallow.band_ordinal and deep.range_ordinal > shallow.range_ordinal
        group by deep.band_ordinal
    ),
    bands as (
        select band_ordinal, any_value(band_label) as band_label, any_value(stack_ordinal) as stack_ordinal, sum(heads)::bigint as heads
        from cells
        group by band_ordinal
    ),
    final as (
        select bands.*, coalesce(difference / nullif(all_pairs, 0), 0) as effect, test_result.test, test_result.role, test_result.p,
            test_result.p_adjusted as adjusted_p, test_result.draws, shifted.p as shift_p, shifted.draws as shifts
        from bands
        left join pairs using (band_ordinal)
        left join test_result
            on test_result.run_id = $run_id and test_result.figure = $figure and test_result.band_ordinal = bands.band_ordinal
            and test_result.role <> 'companion'
        left join test_result as shifted
            on shifted.run_id = $run_id and shifted.figure = $figure and shifted.band_ordinal = bands.band_ordinal and shifted.role = 'companion'
    )
select * from final order by stack_ordinal
