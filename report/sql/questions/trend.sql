-- question: of two heads from different layer ranges, how often is the deeper one in the lower or the higher band, and how unusual is that?
-- grain: one row
-- reads: band_counts, test_result
-- Somers' D is (higher - lower) / pairs. p: whole layers permuted over depth; shift_p: the layer order shifted around.
with
    cells as (select * from band_counts where run_id = $run_id and figure = $figure),
    pairs as (
        select sum(shallow.heads * deep.heads)::double as all_pairs,
            sum(shallow.heads * deep.heads) filter (deep.band_ordinal < shallow.band_ordinal) as lower_pairs,
            sum(shallow.heads * deep.heads) filter (deep.band_ordinal > shallow.band_ordinal) as higher_pairs
        from cells as shallow
        join cells as deep on deep.range_ordinal > shallow.range_ordinal
    ),
    tests as (
        select max(p) filter (test = 'layer_permutation') as p, max(p) filter (test = 'circular_shift') as shift_p,
            max(draws) filter (test = 'layer_permutation') as draws, max(draws) filter (test = 'circular_shift') as shifts
        from test_result
        where run_id = $run_id and figure = $figure
    ),
    final as (
        select 100 * coalesce(lower_pairs, 0) / nullif(all_pairs, 0) as lower_pair_pct, 100 * coalesce(higher_pairs, 0) / nullif(all_pairs, 0) as higher_pair_pct,
            100 - 100 * (coalesce(lower_pairs, 0) + coalesce(higher_pairs, 0)) / nullif(all_pairs, 0) as level_pair_pct,
            (coalesce(higher_pairs, 0) - coalesce(lower_pairs, 0)) / nullif(all_pairs, 0) as effect, p, shift_p, draws, shifts,
            (select sum(heads)::bigint from cells) as heads
        from pairs
        cross join tests
    )
select * from final
