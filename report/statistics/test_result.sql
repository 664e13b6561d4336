-- Tests of a trend over layer ranges.

create table test_result (
    run_id varchar not null,
    figure varchar not null,
    test varchar not null,
    band_ordinal integer,
    statistic varchar not null,
    value double not null check (isfinite(value)),
    p double not null check (isfinite(p)),
    draws bigint not null,
    seed integer
);
comment on table test_result is 'Results of the statistical tests, computed from band_counts when the file was published.';
comment on column test_result.run_id is 'Run.';
comment on column test_result.figure is 'Figure.';
comment on column test_result.test is 'layer_permutation, circular_shift (both on Somers'' D of band by range) or cochran_armitage_exact (share of one band).';
comment on column test_result.band_ordinal is 'Band whose share is tested; null for a test of all bands.';
comment on column test_result.statistic is 'Name of the statistic.';
comment on column test_result.value is 'Value of the statistic.';
comment on column test_result.p is 'Two-sided p-value.';
comment on column test_result.draws is 'Random draws; for an exact test, distinct values of the statistic.';
comment on column test_result.seed is 'Seed of the draws; null for an exact test.';
