-- Two runs side by side, figure by figure: how far all heads together move, and whether layers move together.

create table comparison (
    run_a varchar not null,
    run_b varchar not null,
    figure varchar not null,
    kind varchar not null check (kind in ('texts', 'table', 'asked')),
    sampling varchar not null check (sampling in ('independent', 'paired', 'fixed', 'none')),
    measure_a varchar not null,
    measure_b varchar not null,
    threshold double check (isfinite(threshold)),
    threshold_b double check (isfinite(threshold_b)),
    mean_a double not null check (isfinite(mean_a)),
    mean_b double not null check (isfinite(mean_b)),
    mean_difference double not null check (isfinite(mean_difference)),
    mean_low double check (isfinite(mean_low)),
    mean_high double check (isfinite(mean_high)),
    mean_p double check (isfinite(mean_p)),
    layers integer not null,
    layers_up integer not null,
    layers_down integer not null,
    layer_p double not null check (isfinite(layer_p)),
    draws bigint not null,
    seed integer,
    rank_correlation double check (isfinite(rank_correlation))
);
comment on table comparison is 'Two runs with the same layers and heads side by side: one row per pair and figure. Differences are b - a.';
comment on column comparison.run_a is 'The first run.';
comment on column comparison.run_b is 'The second run.';
comment on column comparison.figure is 'Figure whose measure and bands are compared; for an imported table, its own figure.';
comment on column comparison.kind is 'texts: one model on two texts; table: an imported table of heads beside a run of its model; asked: a pair given to python -m report diff.';
comment on column comparison.sampling is 'independent: other text, so variances add; paired: the same shards, so differences are taken shard by shard; fixed: a is a table without intervals; none: too few shards for an interval.';
comment on column comparison.measure_a is 'Measure of the first run.';
comment on column comparison.measure_b is 'Measure of the second run; another name only where the first is an imported table.';
comment on column comparison.threshold is 'Threshold at which tokens count in both runs, a ratio: that of the first run; null where the measure needs none.';
comment on column comparison.threshold_b is 'Threshold that the figure has in the second run by itself, a ratio; the comparison does not use it.';
comment on column comparison.mean_a is 'Mean over all heads in the first run, in the unit of the measure.';
comment on column comparison.mean_b is 'Mean over all heads in the second run, in the unit of the measure.';
comment on column comparison.mean_difference is 'mean_b - mean_a, in the unit of the measure.';
comment on column comparison.mean_low is 'Lower end of the 95 % interval of mean_difference over texts of these kinds; null without shards enough.';
comment on column comparison.mean_high is 'Upper end of the 95 % interval of mean_difference over texts of these kinds; null without shards enough.';
comment on column comparison.mean_p is 'Two-sided p-value of mean_difference; the shard is the unit, all heads of a shard taken together.';
comment on column comparison.layers is 'Layers that are compared.';
comment on column comparison.layers_up is 'Layers whose mean over heads is higher in the second run.';
comment on column comparison.layers_down is 'Layers whose mean over heads is lower in the second run.';
comment on column comparison.layer_p is 'Two-sided p-value when the sign of each layer''s mean difference is drawn at random: do layers move in one direction?';
comment on column comparison.draws is 'Draws of signs; all arrangements where there are no more.';
comment on column comparison.seed is 'Seed of the draws; null where all arrangements were taken.';
comment on column comparison.rank_correlation is 'Spearman''s correlation of the two values over heads, -1 to 1; null where a run''s heads are all equal.';
