-- question: which shards of this run were set aside because a value in them was not finite, and so are in no number?
-- grain: one row per (shard)
-- reads: quarantine, shard, runs
-- The first ten: more than a reader looks through. The table has them all.
with
    final as (
        select quarantine.shard, quarantine.first_window, quarantine.first_window + quarantine.windows - 1 as last_window, quarantine.bad_windows, quarantine.reason,
            runs.shards_quarantined, runs.shards, greatest(runs.shards_quarantined - 10, 0) as further_shards
        from quarantine
        join runs using (run_id)
        anti join shard on shard.run_id = quarantine.run_id and shard.shard = quarantine.shard
        where quarantine.run_id = $run_id
    )
select * from final order by shard limit 10
