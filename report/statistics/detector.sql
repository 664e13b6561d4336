-- Detectors: which measures look for a kind of head, and from which excess over chance on a head may carry the label.

create table detector (
    detector varchar not null,
    ordinal integer not null,
    measure varchar not null,
    chance varchar,
    planted varchar not null,
    label varchar not null,
    title varchar not null,
    margin double not null check (isfinite(margin) and margin > 0),
    why varchar not null,
    apart boolean not null,
    level double not null check (level > 0 and level < 1)
);
comment on table detector is 'Detectors: the measures that look for a kind of head, one row each; the files of report/detectors.';
comment on column detector.detector is 'Name of the detector.';
comment on column detector.ordinal is 'Order of the detectors; of two with the same excess the first gives the label.';
comment on column detector.measure is 'Measure that is compared with its chance level, as in table measure.';
comment on column detector.chance is 'Measure that holds the chance level, by its chance_of; null where the file has none.';
comment on column detector.planted is 'Kind of planted head that it is for, as planted_score.planted_as.';
comment on column detector.label is 'Label of a head that passes.';
comment on column detector.title is 'What such a head attends to, in words.';
comment on column detector.margin is 'Excess over chance above which a head passes; a share of attention.';
comment on column detector.why is 'Why the margin is what it is.';
comment on column detector.apart is 'True for a detector that gives no label and is reported beside the labels: the sink.';
comment on column detector.level is 'False-discovery rate at which the run''s tests are controlled: a head passes where q is at most this.';
