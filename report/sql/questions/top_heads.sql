-- question: which heads lie highest in this figure, with the interval that comes from the sample of text?
-- grain: one row per (rank)
-- reads: head_band, figure, head_measure
with
    ranked as (
        select row_number() over (order by value desc, layer, head) as rank, layer, head, value, figure,
            count(*) over (partition by printf('%.2f', value)) as tied
        from head_band
        where run_id = $run_id and figure = $figure
    ),
    final as (
        select rank, printf('L%dH%d', ranked.layer, ranked.head) as head_label, value, tied, low, high
        from ranked
        join figure using (figure)
        left join head_measure
            on head_measure.run_id = $run_id and head_measure.measure = figure.measure and head_measure.layer = ranked.layer
            and head_measure.head = ranked.head
        where rank <= 5
    )
select * from final order by rank
