-- Two runs side by side, head by head.

create table head_difference (
    run_a varchar not null,
    run_b varchar not null,
    figure varchar not null,
    layer integer not null,
    head integer not null,
    value_a double not null check (isfinite(value_a)),
    low_a double check (isfinite(low_a)),
    high_a double check (isfinite(high_a)),
    band_a integer not null,
    value_b double not null check (isfinite(value_b)),
    low_b double check (isfinite(low_b)),
    high_b double check (isfinite(high_b)),
    band_b integer not null,
    difference double not null check (isfinite(difference)),
    se double check (isfinite(se)),
    degrees_of_freedom double check (isfinite(degrees_of_freedom)),
    low double check (isfinite(low)),
    high double check (isfinite(high)),
    p double check (isfinite(p)),
    q double check (isfinite(q))
);
comment on table head_difference is 'What each head scores in two runs, and the difference b - a: one row per pair, figure and head.';
comment on column head_difference.run_a is 'The first run.';
comment on column head_difference.run_b is 'The second run.';
comment on column head_difference.figure is 'Figure whose measure and bands are compared; for an imported table, its own figure.';
comment on column head_difference.layer is 'Layer, counted from 0.';
comment on column head_difference.head is 'Query head within the layer, counted from 0.';
comment on column head_difference.value_a is 'Value in the first run, in the unit of the measure.';
comment on column head_difference.low_a is 'Lower end of the 95 % interval of value_a; null without shards enough.';
comment on column head_difference.high_a is 'Upper end of the 95 % interval of value_a; null without shards enough.';
comment on column head_difference.band_a is 'Band of value_a, counted from 0 at the lowest values.';
comment on column head_difference.value_b is 'Value in the second run, in the unit of the measure, at the first run''s threshold.';
comment on column head_difference.low_b is 'Lower end of the 95 % interval of value_b; null without shards enough.';
comment on column head_difference.high_b is 'Upper end of the 95 % interval of value_b; null without shards enough.';
comment on column head_difference.band_b is 'Band of value_b among the bands of the first run.';
comment on column head_difference.difference is 'value_b - value_a, in the unit of the measure.';
comment on column head_difference.se is 'Standard error of the difference that comes from the sample of text; null without shards enough.';
comment on column head_difference.degrees_of_freedom is 'Degrees of freedom of the difference (Welch and Satterthwaite for independent texts); null without shards enough.';
comment on column head_difference.low is 'Lower end of the 95 % interval of the difference, for this head alone.';
comment on column head_difference.high is 'Upper end of the 95 % interval of the difference, for this head alone.';
comment on column head_difference.p is 'Two-sided p-value of the difference, for this head alone.';
comment on column head_difference.q is 'p after the correction for many heads: false-discovery rate under any dependence (Benjamini and Yekutieli), over the pair''s heads in the figure.';
