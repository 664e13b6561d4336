-- Whether the first-order prediction of what a head is worth agrees with its ablation.

create table effect_check (
    run_id varchar not null,
    kind varchar not null,
    heads integer not null,
    rank_correlation double not null check (isfinite(rank_correlation)),
    low double not null check (isfinite(low)),
    high double not null check (isfinite(high)),
    draws integer not null,
    seed integer not null
);
comment on table effect_check is 'Rank correlation, over the heads that were ablated one by one, of the predicted with the true rise of cross-entropy.';
comment on column effect_check.run_id is 'Run.';
comment on column effect_check.kind is 'The ablation: ablation_mean or ablation_zero.';
comment on column effect_check.heads is 'Heads that were ablated.';
comment on column effect_check.rank_correlation is 'Spearman''s rank correlation over these heads, on the windows of the ablation.';
comment on column effect_check.low is 'Lower end of its 95 % interval: percentiles over heads drawn with replacement.';
comment on column effect_check.high is 'Upper end of its 95 % interval.';
comment on column effect_check.draws is 'Draws of heads.';
comment on column effect_check.seed is 'Seed of the draws.';
