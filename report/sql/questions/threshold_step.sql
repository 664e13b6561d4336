-- question: which band leads at the figure's own threshold and one stored step to either side, and how many heads change band on that step?
-- grain: one row per (step)
-- reads: head_band_by_threshold, band
-- step: -1, 0, 1. changed_heads fall in another band than at the figure's own threshold. Ties go to the band nearer to the baseline, and
-- are marked.
with
    placed as (select * from head_band_by_threshold where run_id = $run_id and figure = $figure),
    own as (select layer, head, threshold_ordinal as own_ordinal, band_ordinal as own_band from placed where is_own),
    near as (
        select placed.threshold_ordinal - own_ordinal as step, threshold, band_ordinal, own_band
        from placed
        join own using (layer, head)
        where abs(placed.threshold_ordinal - own_ordinal) <= 1
    ),
    moved as (
        select step, any_value(threshold) as threshold, count(*) as heads, count(*) filter (band_ordinal <> own_band) as changed_heads,
            count(*) filter (band_ordinal > own_band) as raised_heads, count(*) filter (band_ordinal < own_band) as lowered_heads
        from near
        group by step
    ),
    counted as (
        select step, band_ordinal, count(*) as leader_heads, max(count(*)) over (partition by step) as most
        from near
        group by step, band_ordinal
    ),
    leaders as (
        select step, first(label order by stack_ordinal) as leader_label, any_value(leader_heads) as leader_heads, count(*) > 1 as tied
        from counted
        join band on band.run_id = $run_id and band.figure = $figure and band.band_ordinal = counted.band_ordinal
        where leader_heads = most
        group by step
    ),
    final as (
        select step, threshold, leader_label, leader_heads, 100 * leader_heads / heads as leader_pct, tied,
            changed_heads, 100 * changed_heads / heads as changed_pct, raised_heads, lowered_heads, heads
        from moved
        join leaders using (step)
    )
select * from final order by step
