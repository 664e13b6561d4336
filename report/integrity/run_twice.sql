-- impossible: a run stands twice
select run_id from run group by run_id having count(*) > 1
