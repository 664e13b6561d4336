-- question: what is the value of every measure for every head of this run, with its interval over the text?
-- grain: one row per (measure, layer, head)
-- reads: head, head_measure, measure, figure
-- Chance levels are left out: a chance level is the same for every head. Measures that a figure shows come first.
with
    shown as (select measure, min(ordinal) as ordinal from figure where measure is not null group by measure),
    measured as (select distinct measure from head_measure where run_id = $run_id),
    wanted as (
        select measure.id as measure, measure.title, coalesce(shown.ordinal, 2147483647) as ordinal
        from measure
        semi join measured on measured.measure = measure.id
        left join shown on shown.measure = measure.id
        where measure.chance_of is null
    ),
    final as (
        select wanted.ordinal, wanted.title, wanted.measure, head.layer, head.head, head_measure.mean, head_measure.low, head_measure.high
        from wanted
        join head on head.run_id = $run_id
        left join head_measure
            on head_measure.run_id = head.run_id and head_measure.measure = wanted.measure and head_measure.layer = head.layer
            and head_measure.head = head.head
    )
select * from final order by ordinal, title, measure, layer, head
