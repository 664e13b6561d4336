-- question: which heads does this figure show, of which model, on how much text, at which threshold?
-- grain: one row
-- reads: runs, figure, figure_threshold, band_counts, band, head_band, published_count, measure, layer_range
with
    shown as (select sum(heads)::bigint as heads from band_counts where run_id = $run_id and figure = $figure),
    spans as (
        select count(*) as ranges, max(end_layer) as depth
        from layer_range
        where run_id = $run_id and figure = $figure
    ),
    totals as (
        select band_ordinal, any_value(band_label) as band_label, sum(heads)::bigint as heads
        from band_counts
        where run_id = $run_id and figure = $figure
        group by band_ordinal
    ),
    largest as (
        select first(band_label order by heads desc, band_ordinal) as largest_label, max(heads) as largest_heads,
            count(*) filter (heads = (select max(heads) from totals)) > 1 as largest_tied
        from totals
    ),
    edges as (
        select count(*) as bands
        from band
        where run_id = $run_id and figure = $figure
    ),
    crossing as (
        select count(*) filter (crosses_edge) as crossing_heads, 100 * count(*) filter (crosses_edge) / nullif(count(*), 0) as pct
        from head_band
        where run_id = $run_id and figure = $figure
    ),
    published as (select max(model_heads) as model_heads, max(source) as source from published_count where figure = $figure),
    final as (
        select runs.title as run_title, runs.kind, figure.title as figure_title, figure.legend, shown.heads,
            coalesce(runs.layers * runs.heads_per_layer, published.model_heads) as model_heads, coalesce(runs.layers, spans.depth) as layers,
            runs.heads_per_layer, runs.scored_tokens, runs.windows_done, runs.shards_done, runs.shards, runs.window_tokens, runs.corpus, runs.dtype, runs.hardware,
            runs.quantisation, runs.status, coalesce(runs.source, published.source) as source, ranges, bands,
            figure_threshold.threshold, crossing_heads, crossing.pct as crossing_pct, largest_label, largest_heads, largest_tied, measure.unit, measure.definition
        from runs
        cross join shown
        cross join spans
        cross join edges
        cross join largest
        cross join crossing
        cross join published
        join figure on figure.figure = $figure
        left join figure_threshold
            on figure_threshold.run_id = runs.run_id and figure_threshold.figure = figure.figure and figure_threshold.measure = figure.measure
        left join measure on measure.id = figure.measure
        where runs.run_id = $run_id
    )
select * from final
