-- question: which runs does this file hold, and how far did each get?
-- grain: one row per (run_id)
-- reads: run, shard
with
    committed as (
        select run_id, count(*) as shards_done, sum(windows)::bigint as windows_done, sum(scored_tokens)::bigint as scored_tokens
        from shard
        where status = 'committed'
        group by run_id
    ),
    final as (
        select
            run.*,
            coalesce(committed.shards_done, 0) as shards_done,
            coalesce(committed.windows_done, 0) as windows_done,
            coalesce(committed.scored_tokens, 0) as scored_tokens,
            case when run.kind = 'imported' or committed.shards_done = run.shards then 'complete' else 'unfinished' end as status
        from run
        left join committed using (run_id)
    )
select * from final
