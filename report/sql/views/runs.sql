-- question: which runs does this file hold, and how far did each get?
-- grain: one row per (run_id)
-- reads: run, shard, quarantine
with
    committed as (
        select run_id, count(*) as shards_done, sum(windows)::bigint as windows_done, sum(scored_tokens)::bigint as scored_tokens
        from shard
        where status = 'committed'
        group by run_id
    ),
    set_aside as (
        select quarantine.run_id, count(*) as shards_quarantined, sum(quarantine.windows)::bigint as windows_quarantined
        from quarantine
        anti join shard on shard.run_id = quarantine.run_id and shard.shard = quarantine.shard
        group by quarantine.run_id
    ),
    counted as (
        select
            run.*,
            coalesce(committed.shards_done, 0) as shards_done,
            coalesce(committed.windows_done, 0) as windows_done,
            coalesce(committed.scored_tokens, 0) as scored_tokens,
            coalesce(set_aside.shards_quarantined, 0) as shards_quarantined,
            coalesce(set_aside.windows_quarantined, 0) as windows_quarantined
        from run
        left join committed using (run_id)
        left join set_aside using (run_id)
    ),
    final as (
        select *,
            case
                when kind = 'imported' or shards_done = shards then 'complete'
                when shards_done + shards_quarantined = shards then 'complete minus quarantined'
                else 'unfinished'
            end as status
        from counted
    )
select * from final
