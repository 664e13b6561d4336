-- impossible: sums or examples are of a shard that is not there
select run_id, shard
from (
    select run_id, shard from shard_stat union select run_id, shard from shard_histogram union select run_id, shard from example
)
anti join shard using (run_id, shard)
