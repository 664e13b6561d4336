-- The counters database: every table that crosses from extract to report.
--
-- Long, not wide: a new measure adds rows, never a column. Only sums are kept, so that shards merge in any order and every mean, interval and
-- threshold can be computed later, in SQL. No index and no key constraint on purpose: the file is written with INSERT alone (see docs/method.md).
-- Doubles are NOT NULL and finite: NaN sorts above infinity in DuckDB and would leave every band unnoticed.
-- A range without an upper bound ends at the largest finite double, 1.7976931348623157e308.

create table schema_version (version integer not null);
comment on table schema_version is 'One row: the version of this schema. A reader refuses a newer one.';
comment on column schema_version.version is 'Version number, raised when a table changes.';

create table run (
    run_id varchar not null,
    kind varchar not null check (kind in ('measured', 'imported')),
    title varchar not null,
    model varchar,
    revision varchar,
    weights_sha256 varchar,
    quantisation varchar,
    corpus varchar,
    corpus_sha256 varchar,
    corpus_licence varchar,
    layers integer,
    heads_per_layer integer,
    window_tokens integer,
    windows integer,
    shards integer,
    batch_windows integer,
    seed bigint,
    dtype varchar,
    device varchar,
    hardware varchar,
    attention_kernel varchar,
    versions json,
    config json,
    source varchar,
    measured_on date
);
comment on table run is 'What was measured: one row per run of a model over a text, or per imported table.';
comment on column run.run_id is 'Name of the run, unique in the file; for imported counts the name of their figure.';
comment on column run.kind is 'measured: by this project; imported: a table that somebody published.';
comment on column run.title is 'The title of the run''s charts.';
comment on column run.model is 'Model as given: hub name, folder name or embedded.';
comment on column run.revision is 'Commit of the model repository, where there is one.';
comment on column run.weights_sha256 is 'SHA-256 over the weight files, in name order.';
comment on column run.quantisation is 'How the weights were quantised before they were loaded; null where they were not.';
comment on column run.corpus is 'The text: its name, never a local path.';
comment on column run.corpus_sha256 is 'SHA-256 over the documents read, in order.';
comment on column run.corpus_licence is 'Licence of the text, where known.';
comment on column run.layers is 'Number of layers of the model; null for counts whose model depth is not known.';
comment on column run.heads_per_layer is 'Query heads per layer.';
comment on column run.window_tokens is 'Tokens per window, the start token included.';
comment on column run.windows is 'Windows the run asks for.';
comment on column run.shards is 'Shards the run asks for; complete when each stands in table shard, or in quarantine.';
comment on column run.batch_windows is 'Windows per forward pass at most; a shard may have fewer, and a pass that did not fit in memory was repeated with fewer.';
comment on column run.seed is 'Seed of the order in which documents are read.';
comment on column run.dtype is 'Floating-point type of the forward pass.';
comment on column run.device is 'cpu or cuda.';
comment on column run.hardware is 'Name of the processor or accelerator.';
comment on column run.attention_kernel is 'What computed the attention.';
comment on column run.versions is 'Versions of Python, the libraries and Headcount, as JSON.';
comment on column run.config is 'The run file as it was understood, as JSON.';
comment on column run.source is 'Where an imported table comes from.';
comment on column run.measured_on is 'Day (UTC) on which the run was begun.';

create table head (
    run_id varchar not null,
    layer integer not null check (layer >= 0),
    head integer not null check (head >= 0),
    kv_head integer
);
comment on table head is 'The heads of a run, measured or not.';
comment on column head.run_id is 'Run.';
comment on column head.layer is 'Layer, counted from 0.';
comment on column head.head is 'Query head within the layer, counted from 0.';
comment on column head.kv_head is 'Key-value head that the query head reads; null where not known.';

create table measure (
    id varchar not null,
    title varchar not null,
    unit varchar not null,
    low double not null check (isfinite(low)),
    high double not null check (isfinite(high)),
    definition varchar not null,
    source varchar not null,
    condition varchar not null,
    position_low integer not null,
    position_end integer,
    chance_of varchar,
    histogram_kind varchar
);
comment on table measure is 'What a number means: one row per measure in the file.';
comment on column measure.id is 'Name of the measure, as in shard_stat and in head_measure.';
comment on column measure.title is 'Short title.';
comment on column measure.unit is 'Unit: share, %, tokens, or 1 for a ratio or norm.';
comment on column measure.low is 'Least possible value, in the unit.';
comment on column measure.high is 'Largest possible value, in the unit.';
comment on column measure.definition is 'Definition in one sentence, with what it leaves out.';
comment on column measure.source is 'Where the definition comes from.';
comment on column measure.condition is 'Kind of text it is measured on.';
comment on column measure.position_low is 'First query position that is scored; on repeated tokens, the first copy is left out besides.';
comment on column measure.position_end is 'Position after the last one that is scored; null: to the end of the window.';
comment on column measure.chance_of is 'The measure whose chance level this is; null otherwise.';
comment on column measure.histogram_kind is 'Histogram from which the measure is computed at a threshold; null where it is a mean.';

create table shard (
    run_id varchar not null,
    shard integer not null check (shard >= 0),
    windows integer not null,
    scored_tokens bigint not null,
    status varchar not null check (status = 'committed')
);
comment on table shard is 'One row per committed shard: written in the same transaction as its counters.';
comment on column shard.run_id is 'Run.';
comment on column shard.shard is 'Shard, counted from 0: a fixed set of whole windows.';
comment on column shard.windows is 'Windows in the shard.';
comment on column shard.scored_tokens is 'Query positions scored: every position of every window but the first.';
comment on column shard.status is 'committed; a shard that was set aside stands in table quarantine instead.';

create table quarantine (
    run_id varchar not null,
    shard integer not null check (shard >= 0),
    windows integer not null check (windows > 0),
    first_window integer not null check (first_window >= 0),
    bad_windows varchar not null,
    measure varchar not null,
    reason varchar not null
);
comment on table quarantine is 'Shards that were set aside, because a value in them was not finite or no process came to their end: none of their counters are in the file. One that was measured again and committed stands in table shard too, and no longer counts here.';
comment on column quarantine.run_id is 'Run.';
comment on column quarantine.shard is 'Shard, counted from 0.';
comment on column quarantine.windows is 'Windows in the shard, none of which is counted.';
comment on column quarantine.first_window is 'First window of the shard, counted from 0; the others follow it.';
comment on column quarantine.bad_windows is 'Numbers of the windows of text in which a value was not finite, parted by commas; none where it was only so on repeated tokens or held-out windows.';
comment on column quarantine.measure is 'What was not finite, the first that was found: a measure, as in table measure; killed where every process that measured the shard was.';
comment on column quarantine.reason is 'The refusal of that value, with its layer and head; or how often the process was killed.';

create table shard_stat (
    run_id varchar not null,
    shard integer not null,
    layer integer not null,
    head integer not null,
    measure varchar not null,
    n bigint not null check (n >= 0),
    total double not null check (isfinite(total)),
    total_of_squares double not null check (isfinite(total_of_squares))
);
comment on table shard_stat is 'Sums of a measure over one shard, per head; means are total / n over all shards.';
comment on column shard_stat.run_id is 'Run.';
comment on column shard_stat.shard is 'Shard.';
comment on column shard_stat.layer is 'Layer, counted from 0.';
comment on column shard_stat.head is 'Query head, counted from 0.';
comment on column shard_stat.measure is 'Measure.';
comment on column shard_stat.n is 'Number of values summed: scored tokens, or windows for a measure of windows.';
comment on column shard_stat.total is 'Sum of the values, in the unit of the measure.';
comment on column shard_stat.total_of_squares is 'Sum of the squared values, in the squared unit.';

create table histogram_bin (
    kind varchar not null,
    bin integer not null,
    low double not null check (isfinite(low)),
    high double not null check (isfinite(high))
);
comment on table histogram_bin is 'Edges of the histograms; a threshold must be one of them.';
comment on column histogram_bin.kind is 'What is counted: relative_norm (r, relative to the layer''s mean), also by position and without the loudest head; relative_deviation; residual_share; kl.';
comment on column histogram_bin.bin is 'Bin, counted from 0.';
comment on column histogram_bin.low is 'Lower edge, part of the bin; a ratio, of kl in nats.';
comment on column histogram_bin.high is 'Upper edge, not part of the bin; a ratio, of kl in nats.';

create table shard_histogram (
    run_id varchar not null,
    shard integer not null,
    kind varchar not null,
    layer integer not null,
    head integer not null,
    bin integer not null,
    n bigint not null check (n > 0)
);
comment on table shard_histogram is 'Scored tokens per histogram bin, shard and head; empty bins have no row.';
comment on column shard_histogram.run_id is 'Run.';
comment on column shard_histogram.shard is 'Shard.';
comment on column shard_histogram.kind is 'Histogram, as in histogram_bin.';
comment on column shard_histogram.layer is 'Layer, counted from 0.';
comment on column shard_histogram.head is 'Query head, counted from 0.';
comment on column shard_histogram.bin is 'Bin, as in histogram_bin.';
comment on column shard_histogram.n is 'Scored tokens whose value falls in the bin.';

create table worked_token (
    run_id varchar not null,
    layer integer not null,
    head integer not null,
    "window" integer not null,
    position integer not null,
    text_before varchar not null,
    token varchar not null,
    text_after varchar not null,
    output_norm double not null check (isfinite(output_norm)),
    layer_mean_norm double not null check (isfinite(layer_mean_norm))
);
comment on table worked_token is 'One token worked by hand: what every head of one layer writes there.';
comment on column worked_token.run_id is 'Run.';
comment on column worked_token.layer is 'Layer, counted from 0.';
comment on column worked_token.head is 'Query head, counted from 0.';
comment on column worked_token."window" is 'Window, counted from 0.';
comment on column worked_token.position is 'Position in the window, counted from 0.';
comment on column worked_token.text_before is 'Text before the token, in the window.';
comment on column worked_token.token is 'The token as text.';
comment on column worked_token.text_after is 'Text after the token, in the window.';
comment on column worked_token.output_norm is 'Norm of what the head writes at this token (measure output_norm).';
comment on column worked_token.layer_mean_norm is 'Mean of that norm over the heads of the layer and the scored tokens of the window.';

create table example_kind (
    kind varchar not null,
    ordinal integer not null,
    low double not null check (isfinite(low)),
    high double not null check (isfinite(high)),
    kept integer not null check (kept > 0),
    tokens_around integer not null,
    tokens_around_source integer not null
);
comment on table example_kind is 'Which tokens are kept as examples of what a head does: those with its largest r, and a random draw from each band of r.';
comment on column example_kind.kind is 'largest, or the name of a band of r.';
comment on column example_kind.ordinal is 'Order of the kinds: 0 for largest, then the bands from the lowest.';
comment on column example_kind.low is 'Least r of the kind, part of it; a ratio.';
comment on column example_kind.high is 'End of its r, not part of it; a ratio.';
comment on column example_kind.kept is 'Examples per head: fewer only where fewer tokens fall in the band.';
comment on column example_kind.tokens_around is 'Tokens of text kept before and after an example.';
comment on column example_kind.tokens_around_source is 'Tokens of text kept before and after the position that it attends to most.';

create table example (
    run_id varchar not null,
    shard integer not null,
    layer integer not null,
    head integer not null,
    kind varchar not null,
    "window" integer not null,
    position integer not null,
    relative_norm double not null check (isfinite(relative_norm)),
    draw bigint not null,
    source_position integer not null,
    source_attention double not null check (isfinite(source_attention))
);
-- Rows are only ever inserted, shard by shard, so some are superseded: they were among the kept ones when their shard was committed, until
-- a later shard brought better ones. Nearly 20 · (1 + 1/2 + … + 1/shards) rows per head and kind stand here; the view examples ranks them
-- and shows the first 20.
comment on table example is 'Scored tokens that were among a head''s examples when their shard was committed; later shards supersede some, and the view examples shows those that stay.';
comment on column example.run_id is 'Run.';
comment on column example.shard is 'Shard that the window belongs to.';
comment on column example.layer is 'Layer, counted from 0.';
comment on column example.head is 'Query head, counted from 0.';
comment on column example.kind is 'Kind of example, as in example_kind.';
comment on column example."window" is 'Window of the run, counted from 0.';
comment on column example.position is 'Position in the window, counted from 0.';
comment on column example.relative_norm is 'r: what the head writes at the token, relative to the mean over its layer''s heads and the window''s scored tokens; a ratio.';
comment on column example.draw is 'Number drawn for the token and head: the least of a band are its random examples.';
comment on column example.source_position is 'Position that the head attends to most from the token; the first of equals.';
comment on column example.source_attention is 'Attention to that position; a share.';

create table example_token (
    run_id varchar not null,
    "window" integer not null,
    position integer not null,
    token varchar not null
);
comment on table example_token is 'Text around the examples and around what they attend to, token by token; in order, the tokens of a window give its text.';
comment on column example_token.run_id is 'Run.';
comment on column example_token."window" is 'Window of the run, counted from 0.';
comment on column example_token.position is 'Position in the window, counted from 0; 0 is the start token, which is no part of the text.';
comment on column example_token.token is 'What the token adds to the text: empty for one that ends within a character, which the token that completes it carries.';

create table window_document (
    run_id varchar not null,
    "window" integer not null,
    position integer not null,
    title varchar
);
comment on table window_document is 'Documents in the windows that have examples: each begins, or goes on, at its position, up to the next one of the window.';
comment on column window_document.run_id is 'Run.';
comment on column window_document."window" is 'Window of the run, counted from 0.';
comment on column window_document.position is 'Position of the document''s first token in the window; the blank line after a document counts to it.';
comment on column window_document.title is 'Title of the document; null where it has none. Its licence is that of the run''s text.';

create table published_count (
    figure varchar not null,
    title varchar not null,
    source varchar not null,
    model_heads integer,
    range_ordinal integer not null,
    range_label varchar not null,
    first_layer integer not null,
    end_layer integer not null,
    band_ordinal integer not null,
    band_colour varchar not null,
    heads integer not null check (heads >= 0)
);
comment on table published_count is 'Counts of heads that somebody published, as they were imported.';
comment on column published_count.figure is 'Name of the figure, also the run_id of its run.';
comment on column published_count.title is 'Title of the chart.';
comment on column published_count.source is 'Where the counts come from.';
comment on column published_count.model_heads is 'Heads of the whole model, where known.';
comment on column published_count.range_ordinal is 'Layer range, counted from 0.';
comment on column published_count.range_label is 'Label of the range.';
comment on column published_count.first_layer is 'First layer of the range.';
comment on column published_count.end_layer is 'Layer after the last one of the range.';
comment on column published_count.band_ordinal is 'Band, counted from 0 at the bottom of the bar.';
comment on column published_count.band_colour is 'Colour by which the published figure names the band.';
comment on column published_count.heads is 'Heads in this range and band.';

create table imported_band (
    run_id varchar not null,
    measure varchar not null,
    band_ordinal integer not null,
    low double not null check (isfinite(low)),
    high double not null check (isfinite(high))
);
comment on table imported_band is 'Bands of an imported table of heads, low closed and high open, the last one closed.';
comment on column imported_band.run_id is 'Run.';
comment on column imported_band.measure is 'Measure.';
comment on column imported_band.band_ordinal is 'Band, counted from 0 at the lowest values.';
comment on column imported_band.low is 'Lower edge, in the unit of the measure.';
comment on column imported_band.high is 'Upper edge, in the unit of the measure.';

create table planted_score (
    version varchar not null,
    family varchar not null,
    text_kind varchar not null check (text_kind in ('prose', 'code', 'json', 'repeated')),
    layer integer not null check (layer >= 0),
    head integer not null check (head >= 0),
    planted_as varchar not null,
    measure varchar not null,
    n bigint not null check (n > 0),
    total double not null check (isfinite(total))
);
comment on table planted_score is 'What the measures that look for a kind of head give heads that were planted: models set by hand, on four kinds of text.';
comment on column planted_score.version is 'Version of the planted heads and their text, and of the Python whose library is the code.';
comment on column planted_score.family is 'Family of the planted model: gpt2 or llama.';
comment on column planted_score.text_kind is 'prose, code, json, or repeated for repeated random tokens; tokens numbered by first appearance in their window.';
comment on column planted_score.layer is 'Layer of the planted model, counted from 0.';
comment on column planted_score.head is 'Query head, counted from 0.';
comment on column planted_score.planted_as is 'What the head was planted as.';
comment on column planted_score.measure is 'Measure, as in table measure.';
comment on column planted_score.n is 'Tokens scored.';
comment on column planted_score.total is 'Sum of the measure over them; a share each.';

create table calibration (
    run_id varchar not null,
    calibration integer not null check (calibration >= 0),
    quick boolean not null,
    windows integer not null check (windows > 0),
    window_tokens integer not null check (window_tokens > 0),
    first_window integer not null,
    ablated_windows integer not null,
    threshold double not null check (isfinite(threshold)),
    seed bigint not null,
    dtype varchar not null,
    device varchar not null,
    hardware varchar not null,
    versions json not null,
    config json not null,
    measured_on date not null
);
comment on table calibration is 'The price of a threshold: one row per calibration of a run. Complete when all its windows stand in intervention_window; of several, a complete one that is not quick counts before a quick one, then the greatest number.';
comment on column calibration.run_id is 'Run.';
comment on column calibration.calibration is 'Number of the calibration within the run, counted from 0.';
comment on column calibration.quick is 'Whether it has the short list of interventions.';
comment on column calibration.windows is 'Windows it asks for, numbered from 0; the run neither measured them nor took its mean outputs from them.';
comment on column calibration.window_tokens is 'Tokens of each window that are read, the start token included.';
comment on column calibration.first_window is 'Number of its window 0 in the text as the run cuts it, counted from 0.';
comment on column calibration.ablated_windows is 'Windows, from window 0 on, on which single heads are ablated.';
comment on column calibration.threshold is 'Threshold in r of the run''s figure: rival rules take as many pairs as lie below it, and bands of activation are counted at it.';
comment on column calibration.seed is 'Seed of the random controls.';
comment on column calibration.dtype is 'Floating-point type of the forward passes.';
comment on column calibration.device is 'cpu or cuda.';
comment on column calibration.hardware is 'Name of the processor or accelerator.';
comment on column calibration.versions is 'Versions of Python, the libraries and Headcount, as JSON.';
comment on column calibration.config is 'What was asked for, as JSON; the same again goes on with the same calibration.';
comment on column calibration.measured_on is 'Day (UTC) on which it was begun.';

create table intervention (
    run_id varchar not null,
    calibration integer not null,
    intervention varchar not null,
    ordinal integer not null check (ordinal >= 0),
    treatment varchar not null check (treatment in ('zero', 'mean', 'shrink')),
    rule varchar not null check (rule in (
        'relative_norm', 'residual_share', 'raw_norm', 'deviation', 'sink_mass', 'gradient_output',
        'random', 'random_matched', 'shrink', 'band', 'band_random')),
    threshold double check (isfinite(threshold)),
    reference varchar,
    band_low double check (isfinite(band_low)),
    band_high double check (isfinite(band_high)),
    first_layer integer,
    end_layer integer,
    heads integer,
    draw integer,
    seed bigint
);
comment on table intervention is 'What a calibration changes in all layers at once, by a mask taken from the unchanged pass; a pair is a head at a token.';
comment on column intervention.run_id is 'Run.';
comment on column intervention.calibration is 'Calibration.';
comment on column intervention.intervention is 'Name of the intervention, unique in its calibration.';
comment on column intervention.ordinal is 'Order of the interventions, from 0.';
comment on column intervention.treatment is 'zero: what the head writes, its constant part folded out, becomes nothing; mean: its mean over held-out windows; shrink: the same part less of every pair of a layer.';
comment on column intervention.rule is 'How pairs are chosen. relative_norm, residual_share: below the threshold. raw_norm, deviation, gradient_output: the lowest, sink_mass: the highest, as many per layer as the reference has. random: as many per layer at random. random_matched: at random up to the reference''s squared norm per layer. shrink: all pairs, by the factor that takes that squared norm away. band: all tokens of the heads of a band and layer range. band_random: of as many other heads per layer, drawn at random.';
comment on column intervention.threshold is 'Threshold below which pairs are taken, a ratio; of a rule that copies a reference, the reference''s; of a band, that of its activation.';
comment on column intervention.reference is 'The intervention whose number of pairs, squared norm or number of heads it copies; null where it copies none.';
comment on column intervention.band_low is 'Lower edge of the band of activation, part of it; in %.';
comment on column intervention.band_high is 'Upper edge, not part of the band but for 100; in %.';
comment on column intervention.first_layer is 'First layer of the range; null for all layers.';
comment on column intervention.end_layer is 'Layer after the last one of the range; null for all layers.';
comment on column intervention.heads is 'Heads that are changed; null where pairs are chosen one by one.';
comment on column intervention.draw is 'Number of the random draw, counted from 0; null where nothing is drawn.';
comment on column intervention.seed is 'Seed of the draw, together with the window; null where nothing is drawn.';

create table intervention_window (
    run_id varchar not null,
    calibration integer not null,
    intervention varchar not null,
    "window" integer not null check ("window" >= 0),
    tokens bigint not null check (tokens > 0),
    pairs bigint not null check (pairs >= 0),
    all_pairs bigint not null check (all_pairs > 0),
    removed_squares double not null check (isfinite(removed_squares)),
    all_squares double not null check (isfinite(all_squares)),
    cross_entropy double not null check (isfinite(cross_entropy)),
    clean_cross_entropy double not null check (isfinite(clean_cross_entropy)),
    kl double not null check (isfinite(kl)),
    top_changed bigint not null check (top_changed >= 0)
);
comment on table intervention_window is 'Sums of one intervention over one window; a window stands here with all its interventions or not at all.';
comment on column intervention_window.run_id is 'Run.';
comment on column intervention_window.calibration is 'Calibration.';
comment on column intervention_window.intervention is 'Intervention.';
comment on column intervention_window."window" is 'Window of the calibration, counted from 0.';
comment on column intervention_window.tokens is 'Predictions scored: at every token but the first and the last.';
comment on column intervention_window.pairs is 'Head-token pairs changed; the window''s first token is never touched.';
comment on column intervention_window.all_pairs is 'Head-token pairs of the model, the window''s first token left out.';
comment on column intervention_window.removed_squares is 'Sum of squared norms of what was taken from the heads'' outputs (treatment mean: of their differences from the mean), as they were in the unchanged pass.';
comment on column intervention_window.all_squares is 'Sum of squared norms of all heads'' outputs, constant part folded out, in the unchanged pass.';
comment on column intervention_window.cross_entropy is 'Sum of the cross-entropy of the next token over the predictions scored, in nats.';
comment on column intervention_window.clean_cross_entropy is 'The same of the unchanged model, in nats.';
comment on column intervention_window.kl is 'Sum over the predictions scored of KL(unchanged || changed), in nats.';
comment on column intervention_window.top_changed is 'Predictions whose likeliest token changed.';

create table intervention_kl (
    run_id varchar not null,
    calibration integer not null,
    intervention varchar not null,
    "window" integer not null,
    bin integer not null,
    n bigint not null check (n > 0)
);
comment on table intervention_kl is 'Predictions per bin of KL(unchanged || changed), per intervention and window; empty bins have no row.';
comment on column intervention_kl.run_id is 'Run.';
comment on column intervention_kl.calibration is 'Calibration.';
comment on column intervention_kl.intervention is 'Intervention.';
comment on column intervention_kl."window" is 'Window of the calibration, counted from 0.';
comment on column intervention_kl.bin is 'Bin, as in histogram_bin for kind kl.';
comment on column intervention_kl.n is 'Predictions whose KL falls in the bin.';

create table calibration_head (
    run_id varchar not null,
    calibration integer not null,
    "window" integer not null,
    layer integer not null check (layer >= 0),
    head integer not null check (head >= 0),
    kind varchar not null check (kind in ('attribution', 'attribution_zero', 'ablation_mean', 'ablation_zero')),
    n bigint not null check (n > 0),
    total double not null check (isfinite(total))
);
comment on table calibration_head is 'What the loss owes to single heads: a first-order prediction for all of them, and the ablation of thirty, in one window.';
comment on column calibration_head.run_id is 'Run.';
comment on column calibration_head.calibration is 'Calibration.';
comment on column calibration_head."window" is 'Window of the calibration, counted from 0.';
comment on column calibration_head.layer is 'Layer, counted from 0.';
comment on column calibration_head.head is 'Query head, counted from 0.';
comment on column calibration_head.kind is 'attribution: predicted to first order for replacing the head''s output by its mean at every token but the first; attribution_zero: for zeroing it; ablation_mean, ablation_zero: what that did.';
comment on column calibration_head.n is 'Predictions scored.';
comment on column calibration_head.total is 'Rise of the summed cross-entropy, in nats: positive where the replacement makes the predictions worse.';
