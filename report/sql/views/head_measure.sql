-- question: what is the value of every measure for every head, with its interval?
-- grain: one row per (run_id, layer, head, measure)
-- reads: head_mean, figure, figure_threshold, measure, student_t
-- low and high are a 95 % interval over the text: Student's t with shards - 1 degrees of freedom, cut at the measure's own range.
-- A measure that needs a threshold takes that of the first figure that shows it.
with
    first_figure as (
        select figure_threshold.measure, arg_min(figure.figure, figure.ordinal) as figure
        from figure_threshold
        join figure on figure.figure = figure_threshold.figure
        group by figure_threshold.measure
    ),
    final as (
        select head_mean.run_id, head_mean.layer, head_mean.head, head_mean.measure, head_mean.n, head_mean.mean, head_mean.se,
            case when se is not null then greatest(measure.low, mean - t975 * se) end as low,
            case when se is not null then least(measure.high, mean + t975 * se) end as high, head_mean.design_effect
        from head_mean
        join measure on measure.id = head_mean.measure
        left join first_figure on first_figure.measure = head_mean.measure
        left join student_t on student_t.degrees_of_freedom = head_mean.shards - 1
        where head_mean.figure is null or head_mean.figure = first_figure.figure
    )
select * from final
