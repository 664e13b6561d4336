-- question: what is the mean of one measure over the heads of each layer, and which heads lie at its ends?
-- grain: one row per (layer)
-- reads: head_measure, measure
-- Of equals the first counts. Columns in per cent are null where the measure has another unit.
with
    heads as (
        select layer, head, mean as value, case when unit = '%' then 1 end as per_cent
        from head_measure
        join measure on measure.id = head_measure.measure
        where run_id = $run_id and measure = $measure
    ),
    layers as (
        select layer, any_value(per_cent) as per_cent, count(*) as heads, fsum(value order by head) / count(*) as mean,
            first(head order by value, head) as lowest, min(value) as lowest_value,
            first(head order by value desc, head) as highest, max(value) as highest_value
        from heads
        group by layer
    ),
    final as (
        select layer, heads, mean, mean * per_cent as mean_pct, printf('L%dH%d', layer, lowest) as lowest_head, lowest_value,
            lowest_value * per_cent as lowest_pct, printf('L%dH%d', layer, highest) as highest_head, highest_value,
            highest_value * per_cent as highest_pct
        from layers
    )
select * from final order by layer
