-- What every detector gives every head, over chance on the same tokens.

create table detector_score (
    run_id varchar not null,
    detector varchar not null,
    layer integer not null,
    head integer not null,
    n bigint not null check (n > 0),
    mean double not null check (isfinite(mean)),
    chance double not null check (isfinite(chance)),
    excess double not null check (isfinite(excess)),
    se double not null check (isfinite(se)),
    low double not null check (isfinite(low)),
    high double not null check (isfinite(high)),
    p double not null check (isfinite(p)),
    q double not null check (isfinite(q)),
    passes boolean not null
);
comment on table detector_score is 'Excess of every head over the chance level of every detector, with its test; runs of one shard, and detectors whose measures the run lacks, have no rows.';
comment on column detector_score.run_id is 'Run.';
comment on column detector_score.detector is 'Detector.';
comment on column detector_score.layer is 'Layer, counted from 0.';
comment on column detector_score.head is 'Query head, counted from 0.';
comment on column detector_score.n is 'Tokens scored, the same for measure and chance.';
comment on column detector_score.mean is 'Mean of the detector''s measure, a share of attention.';
comment on column detector_score.chance is 'Mean of its chance level on the same tokens, a share of attention.';
comment on column detector_score.excess is 'mean less chance, a share of attention.';
comment on column detector_score.se is 'Standard error of the excess that comes from the sample of text: linearised ratio error of the difference, paired by shard.';
comment on column detector_score.low is 'Lower end of the 95 % interval of the excess (Student''s t, shards less one degrees of freedom).';
comment on column detector_score.high is 'Upper end of the 95 % interval of the excess.';
comment on column detector_score.p is 'One-sided p-value of: the excess is at most the margin.';
comment on column detector_score.q is 'p corrected by Benjamini and Yekutieli within the run: over all heads and all detectors that give labels; for one that is apart, over all heads.';
comment on column detector_score.passes is 'True where q is at most the detector''s level.';
