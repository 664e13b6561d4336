-- question: what is the mean of every measure, per head, with the standard error that comes from the sample of text?
-- grain: one row per (run_id, layer, head, measure)
-- reads: shard_stat
-- fsum takes the shards in order: without it, the last bit of a sum would depend on which thread came first.
-- The mean is a ratio, sum of totals over sum of n; its error is the linearised ratio error with the shard as the unit of sampling.
with
    summed as (
        select run_id, layer, head, measure, sum(n)::bigint as n, fsum(total order by shard) / sum(n) as mean, count(*) as shards
        from shard_stat
        group by run_id, layer, head, measure
        having sum(n) > 0
    ),
    squared as (
        select shard_stat.run_id, shard_stat.layer, shard_stat.head, shard_stat.measure,
            fsum(power(shard_stat.total - summed.mean * shard_stat.n, 2) order by shard_stat.shard) as squares
        from shard_stat
        join summed using (run_id, layer, head, measure)
        group by all
    ),
    final as (
        select run_id, layer, head, measure, n, mean,
            case when shards > 1 then sqrt(squares * shards / (shards - 1)) / n end as se, shards
        from summed
        join squared using (run_id, layer, head, measure)
    )
select * from final
