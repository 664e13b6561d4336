-- impossible: a head's histogram does not add up to its scored tokens
select run_id, shard, kind, layer, head
from shard_histogram
join shard using (run_id, shard)
where kind in ('relative_norm', 'relative_deviation', 'residual_share')
group by run_id, shard, kind, layer, head, scored_tokens
having sum(n) <> scored_tokens
