-- question: which heads and layers lie highest and lowest on one measure, and where do its quarters lie?
-- grain: one row
-- reads: head, head_measure, measure, run
-- Of equals the first counts; heads alike are those that print the same. Columns in per cent are null where the measure has another unit.
with
    about as (select title as measure_title, unit, case when unit = '%' then 1 end as per_cent from measure where id = $measure),
    heads as (
        select head.layer, head.head, printf('L%dH%d', head.layer, head.head) as label, head_measure.mean as value,
            printf(case when unit = '%' then '%.1f' else '%.2f' end, head_measure.mean) as printed
        from head
        cross join about
        left join head_measure
            on head_measure.run_id = head.run_id and head_measure.layer = head.layer and head_measure.head = head.head
            and head_measure.measure = $measure
        where head.run_id = $run_id
    ),
    ends as (
        select count(value) as heads, count(*) - count(value) as missing_heads,
            first(label order by value desc, layer, head) filter (value is not null) as highest_head, max(value) as highest_value,
            first(printed order by value desc) filter (value is not null) as highest_printed,
            first(label order by value, layer, head) filter (value is not null) as lowest_head, min(value) as lowest_value,
            first(printed order by value) filter (value is not null) as lowest_printed,
            quantile_cont(value, 0.25) as quarter_value, median(value) as middle_value, quantile_cont(value, 0.75) as upper_value
        from heads
    ),
    alike as (
        select count(*) filter (printed = highest_printed) as highest_heads, count(*) filter (printed = lowest_printed) as lowest_heads
        from heads
        cross join ends
    ),
    layers as (select layer, fsum(value order by head) / count(value) as mean from heads where value is not null group by layer),
    depth as (
        select count(*) as layers, first(layer order by mean desc, layer) as highest_layer, max(mean) as highest_mean,
            first(layer order by mean, layer) as lowest_layer, min(mean) as lowest_mean
        from layers
    ),
    final as (
        select run.title as run_title, measure_title, unit, heads, missing_heads, highest_head, highest_heads, highest_value,
            highest_value * per_cent as highest_pct, lowest_head, lowest_heads, lowest_value, lowest_value * per_cent as lowest_pct,
            quarter_value, quarter_value * per_cent as quarter_pct, middle_value, middle_value * per_cent as middle_pct,
            upper_value, upper_value * per_cent as upper_pct, depth.layers, highest_layer, highest_mean,
            highest_mean * per_cent as highest_mean_pct, lowest_layer, lowest_mean, lowest_mean * per_cent as lowest_mean_pct
        from ends
        cross join alike
        cross join depth
        cross join about
        join run on run.run_id = $run_id
    )
select * from final
