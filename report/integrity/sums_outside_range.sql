-- impossible: a sum is not what the measure's range allows
select shard_stat.run_id, shard_stat.shard, shard_stat.measure, shard_stat.layer, shard_stat.head
from shard_stat
left join measure on measure.id = shard_stat.measure
where isfinite(total) and isfinite(total_of_squares) and (
    measure.id is null
    or (n = 0 and (total <> 0 or total_of_squares <> 0))
    -- What is rounded to float32 before it is summed may lie beyond the range by that.
    or total / nullif(n, 0) < low - 1e-4 * greatest(1, least(abs(low), 1e6))
    or total / nullif(n, 0) > high + 1e-4 * greatest(1, least(abs(high), 1e6))
    or total * total > n * total_of_squares * (1 + 1e-6) + 1e-9)
