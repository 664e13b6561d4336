-- question: which runs does the file put side by side?
-- grain: one row per (run_a, run_b)
-- reads: comparison, run
with
    final as (
        select run_a, run_b, any_value(comparison.kind) as kind, any_value(sampling) as sampling, any_value(a.title) as a_title,
            any_value(b.title) as b_title, any_value(a.corpus) as a_corpus, any_value(b.corpus) as b_corpus, count(*) as figures
        from comparison
        join run as a on a.run_id = run_a
        join run as b on b.run_id = run_b
        group by run_a, run_b
    )
select * from final order by run_a, run_b
