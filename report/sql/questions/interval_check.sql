-- question: do the two ways to the standard error agree for this figure's measure, and how much less does a token say than an independent one?
-- grain: one row
-- reads: figure, interval_check
-- All null where the run has no two shards, or no head varies.
with
    final as (
        select heads, se_ratio_median as median_ratio, se_ratio_low as low_ratio, se_ratio_high as high_ratio,
            design_effect_median as median_design_effect, design_effect_low as low_design_effect, design_effect_high as high_design_effect,
            draws, seed
        from figure
        left join interval_check on interval_check.measure = figure.measure and interval_check.run_id = $run_id
        where figure.figure = $figure
    )
select * from final
