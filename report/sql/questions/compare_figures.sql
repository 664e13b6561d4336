-- question: how far do two runs differ in each figure, over all heads?
-- grain: one row per (figure)
-- reads: comparison, head_difference, figure, measure
-- Means and differences of shares are in per cent here, so that small ones can be read. differing: heads whose difference stands out among all heads of the figure (q below .05). moved: heads in another band; clearly: both.
with
    heads as (
        select figure, count(*) as heads, count(*) filter (q < 0.05) as differing_heads, count(*) filter (q < 0.05 and difference > 0) as up_heads,
            count(*) filter (q < 0.05 and difference < 0) as down_heads, count(*) filter (band_b <> band_a) as moved_heads,
            count(*) filter (band_b > band_a) as risen_heads, count(*) filter (band_b < band_a) as fallen_heads,
            count(*) filter (band_b = band_a) as stayed_heads, count(*) filter (band_b <> band_a and q < 0.05) as clearly_moved_heads,
            count(q) as tested_heads, median(abs(difference)) as typical_value
        from head_difference
        where run_a = $run_a and run_b = $run_b
        group by figure
    ),
    scales as (
        select id, case when unit = 'share' then 100 else 1 end as factor, case when unit = 'share' then '%' else unit end as unit
        from measure
    ),
    final as (
        select figure.ordinal, comparison.figure, figure.title as figure_title, scales.unit, comparison.threshold, comparison.threshold_b,
            comparison.threshold <> comparison.threshold_b as own_threshold_differs, factor * mean_a as a_value, factor * mean_b as b_value,
            factor * mean_difference as difference_value, factor * mean_low as difference_low, factor * mean_high as difference_high, mean_p, heads.heads, tested_heads,
            differing_heads, 100 * differing_heads / nullif(tested_heads, 0) as differing_pct, up_heads, down_heads, moved_heads,
            100 * moved_heads / heads.heads as moved_pct, risen_heads, fallen_heads, stayed_heads, 100 * stayed_heads / heads.heads as stayed_pct,
            clearly_moved_heads, factor * typical_value as typical_value, comparison.layers, layers_up, layers_down, layer_p, draws, rank_correlation as correlation_effect
        from comparison
        join heads using (figure)
        join figure using (figure)
        join scales on scales.id = comparison.measure_a
        where run_a = $run_a and run_b = $run_b
    )
select * from final order by ordinal
