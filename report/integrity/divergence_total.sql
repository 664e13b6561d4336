-- impossible: a calibrated window's histogram of divergences does not add up to its predictions
with
    counted as (select run_id, calibration, intervention, "window", sum(n) as predictions from intervention_kl group by all)
select run_id, calibration, intervention, "window"
from intervention_window
full join counted using (run_id, calibration, intervention, "window")
where predictions is distinct from tokens
