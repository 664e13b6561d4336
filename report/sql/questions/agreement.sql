-- question: of the heads in the band on the baseline of one figure, how many stand on the baseline of the other too?
-- grain: one row
-- reads: head_band, band
with
    base as (
        select layer, head, figure
        from head_band
        join band using (run_id, figure, band_ordinal)
        where run_id = $run_id and stack_ordinal = 0
    ),
    final as (
        select
            (select count(*) from base where figure = $figure) as heads,
            (select count(*) from base as one join base as other using (layer, head) where one.figure = $figure and other.figure = $other) as shared_heads,
            (select label from band where run_id = $run_id and figure = $figure and stack_ordinal = 0) as band_label,
            (select title from figure where figure = $other) as other_title
    )
select heads, shared_heads, 100 * shared_heads / nullif(heads, 0) as pct, band_label, other_title from final
