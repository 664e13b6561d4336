-- What version 3 of the counters' schema lacks: see extract/schema.sql, which says the same.
create table quarantine (
    run_id varchar not null,
    shard integer not null check (shard >= 0),
    windows integer not null check (windows > 0),
    first_window integer not null check (first_window >= 0),
    bad_windows varchar not null,
    measure varchar not null,
    reason varchar not null
);
comment on table quarantine is 'Shards that were set aside, because a value in them was not finite or no process came to their end: none of their counters are in the file. One that was measured again and committed stands in table shard too, and no longer counts here.';
comment on column quarantine.run_id is 'Run.';
comment on column quarantine.shard is 'Shard, counted from 0.';
comment on column quarantine.windows is 'Windows in the shard, none of which is counted.';
comment on column quarantine.first_window is 'First window of the shard, counted from 0; the others follow it.';
comment on column quarantine.bad_windows is 'Numbers of the windows of text in which a value was not finite, parted by commas; none where it was only so on repeated tokens or held-out windows.';
comment on column quarantine.measure is 'What was not finite, the first that was found: a measure, as in table measure; killed where every process that measured the shard was.';
comment on column quarantine.reason is 'The refusal of that value, with its layer and head; or how often the process was killed.';
comment on column shard.status is 'committed; a shard that was set aside stands in table quarantine instead.';
comment on column run.shards is 'Shards the run asks for; complete when each stands in table shard, or in quarantine.';
update schema_version set version = 4;
