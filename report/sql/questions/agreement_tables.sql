-- question: which tables of heads were imported, and how far is a measured run of the same model from each?
-- grain: one row per (run_id)
-- reads: run, imported_band, measure, comparison, head_difference
-- Of several measured runs of the model, the one whose name comes first in the alphabet.
with
    tables as (
        select run.run_id, run.title, run.source, run.layers * run.heads_per_layer as heads, any_value(measure.id) as measure
        from run
        join imported_band using (run_id)
        join measure on measure.id = imported_band.measure
        group by run.run_id, run.title, run.source, run.layers, run.heads_per_layer
    ),
    beside as (select run_a as run_id, min(run_b) as run_b from comparison where kind = 'table' group by run_a),
    heads as (
        select run_a as run_id, run_b, count(*) as compared_heads, count(*) filter (band_a = band_b) as same_heads, max(abs(difference)) as gap
        from head_difference
        group by run_a, run_b
    ),
    final as (
        select tables.*, regexp_replace(tables.measure, '_published$', '') as our_measure, other.title as run_title, comparison.mean_a as theirs,
            comparison.mean_b as ours, comparison.mean_difference as difference, comparison.rank_correlation as correlation_effect,
            heads.compared_heads, heads.same_heads, 100 * heads.same_heads / heads.compared_heads as same_pct, heads.gap
        from tables
        left join beside using (run_id)
        left join comparison on comparison.run_a = tables.run_id and comparison.run_b = beside.run_b
        left join heads on heads.run_id = tables.run_id and heads.run_b = beside.run_b
        left join run as other on other.run_id = beside.run_b
    )
select * from final order by run_id
