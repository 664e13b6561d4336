-- question: what is one measure of each head, with its interval, the mean of its layer, and the share of heads at or below it?
-- grain: one row per (layer, head)
-- reads: head, head_measure
-- Heads without a value have no share; those of the same value share that of the last of them.
with
    heads as (
        select head.layer, head.head, head_measure.mean as value, head_measure.low, head_measure.high
        from head
        left join head_measure
            on head_measure.run_id = head.run_id and head_measure.layer = head.layer and head_measure.head = head.head
            and head_measure.measure = $measure
        where head.run_id = $run_id
    ),
    shares as (select layer, head, 100 * cume_dist() over (order by value) as cumulative_pct from heads where value is not null),
    means as (select layer, fsum(value order by head) / count(value) as layer_mean from heads where value is not null group by layer),
    final as (
        select heads.layer, heads.head, printf('L%dH%d', heads.layer, heads.head) as head_label, heads.value, heads.low, heads.high,
            means.layer_mean, shares.cumulative_pct
        from heads
        left join shares on shares.layer = heads.layer and shares.head = heads.head
        left join means on means.layer = heads.layer
    )
select * from final order by layer, head
