-- question: which runs have their heads described, and on whose pages?
-- grain: one row per (run_id)
-- reads: layer_range, head, head_mean, comparison, run
-- Runs of the same weights over different texts share the pages of the one whose name comes first: home.
with
    described as (
        select distinct run_id
        from layer_range
        semi join head using (run_id)
        semi join head_mean using (run_id)
    ),
    first_of_pair as (select run_b as run_id, min(run_a) as home from comparison where kind = 'texts' group by run_b),
    final as (
        select described.run_id, coalesce(first_of_pair.home, described.run_id) as home, run.title, run.layers, run.heads_per_layer, run.corpus
        from described
        join run using (run_id)
        left join first_of_pair using (run_id)
    )
select * from final order by home, run_id <> home, run_id
