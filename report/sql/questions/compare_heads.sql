-- question: which heads differ most between the two runs?
-- grain: one row per (layer, head)
-- reads: head_difference, band
-- The ten largest differences; equals by layer and head. corrected_p: false-discovery rate over all heads of the figure.
with
    ranked as (
        select *, row_number() over (order by abs(difference) desc, layer, head) as rank
        from head_difference
        where run_a = $run_a and run_b = $run_b and figure = $figure
    ),
    final as (
        select rank, layer, head, printf('L%dH%d', layer, head) as head_label, value_a as a_value, value_b as b_value, a.label as a_band_label,
            b.label as b_band_label, band_a <> band_b as moved, difference as difference_value, sign(difference)::integer as difference_sign,
            ranked.low as difference_low, ranked.high as difference_high, q as corrected_p
        from ranked
        join band as a on a.run_id = run_a and a.figure = ranked.figure and a.band_ordinal = band_a
        join band as b on b.run_id = run_a and b.figure = ranked.figure and b.band_ordinal = band_b
        where rank <= 10 and difference <> 0
    )
select * from final order by rank
