-- How well one half of the text repeats what the other half says about the heads.

create table reliability (
    run_id varchar not null,
    figure varchar not null,
    heads bigint not null,
    shards bigint not null,
    half_correlation double check (isfinite(half_correlation)),
    reliability double check (isfinite(reliability)),
    flip_pct double not null check (isfinite(flip_pct)),
    splits bigint not null,
    seed bigint not null
);
comment on table reliability is 'Split-half reliability of each figure''s values: the shards parted at random into two halves, many times.';
comment on column reliability.run_id is 'Run; one with fewer than two shards, or imported, has no row.';
comment on column reliability.figure is 'Figure.';
comment on column reliability.heads is 'Heads that are compared.';
comment on column reliability.shards is 'Shards that are parted; of an odd number, each split leaves one out at random.';
comment on column reliability.half_correlation is 'Pearson correlation over heads of the values from the two halves, mean over splits; null with fewer than three heads or where all values are equal.';
comment on column reliability.reliability is 'The correlation that two texts as long as the whole one would be expected to give, from half_correlation (Spearman-Brown); null where that is null or not positive.';
comment on column reliability.flip_pct is '% of heads that fall in another band in the one half than in the other, mean over splits.';
comment on column reliability.splits is 'Random splits.';
comment on column reliability.seed is 'Seed of the splits.';
