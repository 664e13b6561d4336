-- question: how well does one half of the text repeat what the other half says about the heads?
-- grain: one row
-- reads: figure, reliability
-- All null where the run has no two shards.
with
    final as (
        select heads, shards, half_correlation, reliability.reliability, flip_pct, splits, seed
        from figure
        left join reliability on reliability.figure = figure.figure and reliability.run_id = $run_id
        where figure.figure = $figure
    )
select * from final
