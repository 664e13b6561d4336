-- impossible: a shard has no sums
select shard.run_id, shard.shard
from shard
anti join shard_stat on shard_stat.run_id = shard.run_id and shard_stat.shard = shard.shard
