-- question: which layer's heads lie farthest from those of the other layers, and how far?
-- grain: one row
-- reads: head_band
-- distance: of the layer's mean from the median of all layers' means, in robust standard deviations (1.4826 times the median absolute
-- deviation; Iglewicz and Hoaglin 1993). None where all layers but one are alike.
with
    layers as (
        select layer, fsum(value order by head) / count(*) as value from head_band where run_id = $run_id and figure = $figure group by layer
    ),
    middle as (select median(value) as centre, count(*) as layers from layers),
    spread as (select 1.4826 * median(abs(value - centre)) as deviation from layers cross join middle),
    scored as (
        select layer, value, centre, layers, (value - centre) / nullif(deviation, 0) as distance from layers cross join middle cross join spread
    ),
    final as (
        select first(layer order by abs(distance) desc, layer) as outlying_layer,
            first(value order by abs(distance) desc, layer) as layer_mean, any_value(centre) as median_mean,
            max(abs(distance)) as distance_ratio, count(*) filter (abs(distance) > 3.5) as outlying_layers, any_value(layers) as layers
        from scored
    )
select * from final
