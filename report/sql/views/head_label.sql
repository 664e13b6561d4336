-- question: which label, if any, does each head's attention earn, and is the head a sink?
-- grain: one row per (run_id, layer, head)
-- reads: detector_score, detector
-- Of the detectors that a head passes the one with the largest excess gives the label, of equals the first; labels_passed names them all.
-- A head that passes none is unclassified. The sink stands apart: it neither gives a label nor takes one. Runs without scores have no rows.
with
    scored as (
        select detector_score.*, detector.label, detector.ordinal
        from detector_score
        join detector using (detector)
        where not detector.apart
    ),
    heads as (select distinct run_id, layer, head from scored),
    passed as (
        select *, row_number() over (partition by run_id, layer, head order by excess desc, ordinal) as place
        from scored
        where passes
    ),
    listed as (
        select run_id, layer, head, string_agg(label, '; ' order by place) as labels_passed
        from passed
        group by all
    ),
    sinks as (select run_id, layer, head, mean as sink_mass, passes as is_sink from detector_score where detector = 'sink'),
    final as (
        select heads.run_id, heads.layer, heads.head, coalesce(passed.label, 'unclassified') as label, passed.detector,
            passed.excess, passed.low, passed.high, passed.q, sinks.sink_mass, sinks.is_sink, listed.labels_passed
        from heads
        left join passed on passed.run_id = heads.run_id and passed.layer = heads.layer and passed.head = heads.head and passed.place = 1
        left join listed on listed.run_id = heads.run_id and listed.layer = heads.layer and listed.head = heads.head
        left join sinks on sinks.run_id = heads.run_id and sinks.layer = heads.layer and sinks.head = heads.head
    )
select * from final
