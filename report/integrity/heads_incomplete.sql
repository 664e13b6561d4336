-- impossible: a run's heads are not complete, each once
select run.run_id
from run
left join head using (run_id)
where run.layers is not null
group by run.run_id, run.layers, run.heads_per_layer
having count(head.layer) <> run.layers * run.heads_per_layer
    or count(distinct (head.layer, head.head)) <> run.layers * run.heads_per_layer
    or max(head.layer) >= run.layers
    or max(head.head) >= run.heads_per_layer
