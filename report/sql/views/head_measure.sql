-- question: what is the value of every measure for every head, with its interval?
-- grain: one row per (run_id, layer, head, measure)
-- reads: measure_mean, threshold_share, figure, measure, student_t
-- low and high are a 95 % interval over the text: Student's t with shards - 1 degrees of freedom, cut at the measure's own range.
-- A measure that needs a threshold takes that of the first figure that shows it.
with
    first_figure as (
        select measure, arg_min(figure, ordinal) as figure
        from figure
        group by measure
    ),
    stacked as (
        select run_id, layer, head, measure, n, mean, se, shards from measure_mean
        union all
        select run_id, layer, head, first_figure.measure, n, mean, se, shards
        from threshold_share
        join first_figure using (figure)
    ),
    final as (
        select stacked.run_id, stacked.layer, stacked.head, stacked.measure, stacked.n, stacked.mean, stacked.se,
            greatest(measure.low, stacked.mean - student_t.t975 * stacked.se) as low,
            least(measure.high, stacked.mean + student_t.t975 * stacked.se) as high
        from stacked
        join measure on measure.id = stacked.measure
        left join student_t on student_t.degrees_of_freedom = stacked.shards - 1 and stacked.se is not null
    )
select run_id, layer, head, measure, n, mean, se,
    case when se is null then null else low end as low,
    case when se is null then null else high end as high
from final
