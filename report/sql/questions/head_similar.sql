-- question: which five heads of the model are most like each head, over all measures?
-- grain: one row per (layer, head, place)
-- reads: head_measure, measure
-- Euclidean distance over the measures that every head has, each less its mean over the heads and divided by its standard deviation there.
-- All count alike, so a quantity that several measures look at counts several times. Chance levels, and measures in which all heads are equal,
-- tell nothing and are left out. Of equals the first layer, then the first head.
with
    everywhere as (
        select head_measure.measure, count(*) as heads, fsum(mean order by layer, head) / count(*) as centre
        from head_measure
        join measure on measure.id = head_measure.measure
        where run_id = $run_id and measure.chance_of is null
        group by head_measure.measure
        having count(*) = (select count(distinct (layer, head)) from head_measure where run_id = $run_id)
    ),
    spread as (
        select everywhere.measure, centre, sqrt(fsum(power(mean - centre, 2) order by layer, head) / any_value(heads)) as deviation
        from everywhere
        join head_measure on head_measure.measure = everywhere.measure and head_measure.run_id = $run_id
        group by everywhere.measure, centre
    ),
    placed as (
        select layer, head, list((mean - centre) / deviation order by measure) as place
        from head_measure
        join spread using (measure)
        where run_id = $run_id and deviation > 1e-9 * (abs(centre) + 1e-300)
        group by layer, head
    ),
    pairs as (
        select here.layer, here.head, there.layer as other_layer, there.head as other_head,
            list_distance(here.place, there.place) as distance
        from placed as here
        join placed as there on (here.layer, here.head) <> (there.layer, there.head)
    ),
    final as (
        select layer, head, row_number() over (partition by layer, head order by distance, other_layer, other_head) as place,
            printf('L%dH%d', other_layer, other_head) as similar_name, distance as distance_value
        from pairs
        qualify place <= 5
    )
select * from final order by layer, head, place
