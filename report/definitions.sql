-- What report adds to the counters: the definitions of figures, bands and ranges, and the quantiles that intervals need.

create table figure (
    figure varchar not null,
    ordinal integer not null,
    kind varchar not null check (kind in ('heads', 'published')),
    measure varchar,
    threshold double check (isfinite(threshold)),
    threshold_half_mean_of varchar,
    selection varchar not null,
    title varchar not null,
    legend varchar not null
);
comment on table figure is 'The figures: what each shows, and of which runs.';
comment on column figure.figure is 'Name of the figure.';
comment on column figure.ordinal is 'Order on the site.';
comment on column figure.kind is 'heads: banded from a measure of each head; published: counts that somebody published.';
comment on column figure.measure is 'Measure that is banded; null for published counts.';
comment on column figure.threshold is 'Threshold at which tokens count, a ratio; null where the measure needs none or the run sets it (see view figure_threshold).';
comment on column figure.threshold_half_mean_of is 'Measure whose mean over the run sets the threshold: the stored edge nearest to half of it.';
comment on column figure.selection is 'Pattern of the run_ids that are shown.';
comment on column figure.title is 'Title of the figure.';
comment on column figure.legend is 'Title of the legend: what the bands are bands of.';

create table band (
    run_id varchar not null,
    figure varchar not null,
    band_ordinal integer not null,
    label varchar not null,
    low double check (isfinite(low)),
    high double check (isfinite(high)),
    closed_high boolean not null,
    colour varchar not null,
    stack_ordinal integer not null
);
comment on table band is 'The bands of each figure and run, low closed and high open.';
comment on column band.run_id is 'Run.';
comment on column band.figure is 'Figure.';
comment on column band.band_ordinal is 'Band, counted from 0 at the lowest values; published counts keep their own order.';
comment on column band.label is 'Label of the band.';
comment on column band.low is 'Lower edge, in the unit of the measure; null for published counts.';
comment on column band.high is 'Upper edge, in the unit of the measure; null for published counts.';
comment on column band.closed_high is 'True where the upper edge belongs to the band (the last one).';
comment on column band.colour is 'Name of the colour.';
comment on column band.stack_ordinal is 'Place in the stacked bar, 0 on the baseline.';

create table layer_range (
    run_id varchar not null,
    figure varchar not null,
    range_ordinal integer not null,
    label varchar not null,
    first_layer integer not null,
    end_layer integer not null
);
comment on table layer_range is 'The layer ranges of each figure and run, half-open.';
comment on column layer_range.run_id is 'Run.';
comment on column layer_range.figure is 'Figure.';
comment on column layer_range.range_ordinal is 'Range, counted from 0.';
comment on column layer_range.label is 'Label of the range.';
comment on column layer_range.first_layer is 'First layer of the range.';
comment on column layer_range.end_layer is 'Layer after the last one of the range.';

create table student_t (
    degrees_of_freedom integer not null,
    t975 double not null check (isfinite(t975))
);
comment on table student_t is 'Quantiles of Student''s t for 95 % intervals.';
comment on column student_t.degrees_of_freedom is 'Degrees of freedom: shards - 1.';
comment on column student_t.t975 is 'The .975 quantile.';
