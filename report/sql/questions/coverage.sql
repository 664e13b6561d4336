-- question: which heads does this figure show, of which model, on how much text, at which threshold?
-- grain: one row
-- reads: runs, figure, figure_threshold, band_counts, band, head_band, published_count, measure, layer_range
with
    shown as (select sum(heads)::bigint as heads from band_counts where run_id = $run_id and figure = $figure),
    spans as (
        select count(*) as ranges, min(end_layer - first_layer) as least_layers, max(end_layer - first_layer) as most_layers, max(end_layer) as depth
        from layer_range
        where run_id = $run_id and figure = $figure
    ),
    largest as (
        select arg_max(band_label, heads) as largest_label, max(heads) as largest_heads
        from (select band_label, sum(heads)::bigint as heads from band_counts where run_id = $run_id and figure = $figure group by band_label)
    ),
    edges as (
        select count(*) as bands, arg_min(label, stack_ordinal) as base_label, arg_max(label, stack_ordinal) as far_label,
            arg_min(colour, stack_ordinal) as base_colour
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
            runs.quantisation, runs.status, coalesce(runs.source, published.source) as source, ranges, bands, base_label, far_label, base_colour,
            least_layers, most_layers, least_layers * runs.heads_per_layer as least_heads, most_layers * runs.heads_per_layer as most_heads,
            figure_threshold.threshold, crossing_heads, crossing.pct as crossing_pct, largest_label, largest_heads, measure.unit, measure.definition
        from runs
        cross join shown
        cross join spans
        cross join edges
        cross join largest
        cross join crossing
        cross join published
        join figure on figure.figure = $figure
        left join figure_threshold on figure_threshold.run_id = runs.run_id and figure_threshold.figure = figure.figure
        left join measure on measure.id = figure.measure
        where runs.run_id = $run_id
    )
select * from final
