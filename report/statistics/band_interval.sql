-- How far the counts of heads per band depend on the sample of text.

create table band_interval (
    run_id varchar not null,
    figure varchar not null,
    range_ordinal integer,
    band_ordinal integer not null,
    heads bigint not null,
    low bigint not null,
    high bigint not null,
    draws bigint not null,
    seed bigint not null
);
comment on table band_interval is 'Heads per band with the 95 % interval that comes from the sample of text: shards drawn again with replacement, every head banded anew.';
comment on column band_interval.run_id is 'Run; one with fewer than two shards, or imported, has no row.';
comment on column band_interval.figure is 'Figure.';
comment on column band_interval.range_ordinal is 'Layer range, counted from 0; null for all layers together.';
comment on column band_interval.band_ordinal is 'Band, counted from 0 at the lowest values.';
comment on column band_interval.heads is 'Heads that fall in the band.';
comment on column band_interval.low is 'Lower end of the 95 % interval of the number of heads; never above heads.';
comment on column band_interval.high is 'Upper end of the 95 % interval of the number of heads; never below heads.';
comment on column band_interval.draws is 'Random draws of the shards.';
comment on column band_interval.seed is 'Seed of the draws.';
