-- Tests of a trend over layer ranges.

create table test_result (
    run_id varchar not null,
    figure varchar not null,
    test varchar not null,
    role varchar not null check (role in ('primary', 'companion', 'other')),
    band_ordinal integer,
    statistic varchar not null,
    value double not null check (isfinite(value)),
    p double not null check (isfinite(p)),
    p_adjusted double check (isfinite(p_adjusted)),
    draws bigint not null,
    seed integer
);
comment on table test_result is 'Results of the statistical tests, computed from band_counts when the file was published; one row per run, figure, test and band.';
comment on column test_result.run_id is 'Run.';
comment on column test_result.figure is 'Figure.';
comment on column test_result.test is 'layer_permutation, circular_shift (both on Somers'' D of band by range), the same with _of_band (Somers'' D of in the band or not, by range) or cochran_armitage_exact (share of one band).';
comment on column test_result.role is 'primary: the one test named before the data, in the figure''s file; for published counts that of the band on the baseline. companion: the shifts of the layer order, another null hypothesis for the same statistic. other: corrected for how many there are.';
comment on column test_result.band_ordinal is 'Band whose share is tested; null for a test of all bands.';
comment on column test_result.statistic is 'Name of the statistic.';
comment on column test_result.value is 'Value of the statistic.';
comment on column test_result.p is 'Two-sided p-value.';
comment on column test_result.p_adjusted is 'The p-value after Holm''s correction over the other tests of the same run and figure; null for primary and companion.';
comment on column test_result.draws is 'Random draws; for an exact test, distinct values of the statistic.';
comment on column test_result.seed is 'Seed of the draws; null for an exact test.';
