-- Two ways to the standard error of a head's mean, side by side, and what the dependence of tokens costs.

create table interval_check (
    run_id varchar not null,
    measure varchar not null,
    heads bigint not null,
    se_ratio_median double not null check (isfinite(se_ratio_median)),
    se_ratio_low double not null check (isfinite(se_ratio_low)),
    se_ratio_high double not null check (isfinite(se_ratio_high)),
    design_effect_median double check (isfinite(design_effect_median)),
    design_effect_low double check (isfinite(design_effect_low)),
    design_effect_high double check (isfinite(design_effect_high)),
    draws bigint not null,
    seed bigint not null
);
comment on table interval_check is 'For every measure: the standard error from drawing shards again with replacement over the linearised one that the intervals use, and the design effect.';
comment on column interval_check.run_id is 'Run; one with fewer than two shards, or imported, has no row.';
comment on column interval_check.measure is 'Measure, at the threshold at which view head_measure shows it.';
comment on column interval_check.heads is 'Heads whose value varies over shards: only they have a ratio.';
comment on column interval_check.se_ratio_median is 'Median over heads of the bootstrap''s standard error over the linearised one; 1 where they agree.';
comment on column interval_check.se_ratio_low is '5th percentile over heads of that ratio.';
comment on column interval_check.se_ratio_high is '95th percentile over heads of that ratio.';
comment on column interval_check.design_effect_median is 'Median over heads of the squared standard error over that of as many independent tokens (windows, for a measure of windows); 1 for independent ones.';
comment on column interval_check.design_effect_low is '5th percentile over heads of the design effect.';
comment on column interval_check.design_effect_high is '95th percentile over heads of the design effect.';
comment on column interval_check.draws is 'Random draws of the shards.';
comment on column interval_check.seed is 'Seed of the draws.';
