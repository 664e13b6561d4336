-- The thresholds at which a figure is drawn anew, to see what hangs on its own.

create table threshold (
    run_id varchar not null,
    figure varchar not null,
    ordinal integer not null,
    threshold double not null check (isfinite(threshold)),
    is_own boolean not null
);
comment on table threshold is 'Stored edges around the threshold of each figure and run: up to twenty below and nineteen above, forty in all where the histogram has them.';
comment on column threshold.run_id is 'Run.';
comment on column threshold.figure is 'Figure; one whose measure needs no threshold has no row.';
comment on column threshold.ordinal is 'Order of the thresholds, from 0 at the lowest; neighbours are one stored step apart.';
comment on column threshold.threshold is 'Threshold, a ratio.';
comment on column threshold.is_own is 'True for the threshold at which the figure counts tokens in this run.';
