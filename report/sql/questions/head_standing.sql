-- question: what is the value of every measure for each head, and which place does it take among the heads of the model and of its layer?
-- grain: one row per (layer, head, measure)
-- reads: head_measure, measure, figure
-- The largest value is in first place; equal values share a place. Chance levels are left out: a chance level is the same for every head.
with
    shown as (select measure, min(ordinal) as ordinal from figure where measure is not null group by measure),
    ranked as (
        select layer, head, measure, mean, low, high, rank() over (partition by measure order by mean desc) as rank,
            rank() over (partition by measure, layer order by mean desc) as layer_rank
        from head_measure
        where run_id = $run_id
    ),
    final as (
        select ranked.layer, ranked.head, ranked.measure, measure.title, measure.unit, ranked.mean, ranked.low, ranked.high, ranked.rank,
            ranked.layer_rank, coalesce(shown.ordinal, 2147483647) as ordinal
        from ranked
        join measure on measure.id = ranked.measure
        left join shown on shown.measure = ranked.measure
        where measure.chance_of is null
    )
select * from final order by layer, head, ordinal, title, measure
