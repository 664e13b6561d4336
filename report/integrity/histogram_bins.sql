-- impossible: a histogram has a bin whose edges are not known, or edges that do not meet
select kind, bin from shard_histogram anti join histogram_bin using (kind, bin)
union all
select kind, bin
from histogram_bin
window bins as (partition by kind order by bin)
qualify bin <> row_number() over bins - 1 or low >= high or low is distinct from coalesce(lag(high) over bins, low)
