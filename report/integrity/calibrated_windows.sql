-- impossible: a calibrated window has not each of its interventions once
with
    asked as (select run_id, calibration, count(*) as interventions from intervention group by all)
select run_id, calibration, "window"
from intervention_window
left join asked using (run_id, calibration)
group by run_id, calibration, "window", interventions
having count(*) is distinct from interventions or count(distinct intervention) <> count(*)
union all
select run_id, calibration, "window"
from intervention_window
anti join intervention using (run_id, calibration, intervention)
