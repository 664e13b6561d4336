-- question: do the two ways to the standard error agree, measure by measure?
-- grain: one row per (measure)
-- reads: interval_check, measure
with
    final as (
        select measure, title, ends_with(condition, 'natural text') as is_natural, heads,
            se_ratio_median as median_ratio, se_ratio_low as low_ratio, se_ratio_high as high_ratio,
            design_effect_median as median_design_effect, design_effect_low as low_design_effect, design_effect_high as high_design_effect,
            draws, seed
        from interval_check
        join measure on measure.id = interval_check.measure
        where run_id = $run_id
    )
select * from final order by measure
