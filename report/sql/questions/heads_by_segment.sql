-- question: in which layer range and band does each head fall, at the figure's own threshold and at each of those around it?
-- grain: one row per (layer, head)
-- reads: head_band, head_band_by_threshold, threshold
-- bands: one character per threshold, from the lowest up: "0" for band 0, and so on in the order of ASCII, "." for a head without a value;
-- null where the figure has no threshold.
with
    shown as (select layer, head, range_ordinal, band_ordinal from head_band where run_id = $run_id and figure = $figure),
    asked as (select ordinal as threshold_ordinal from threshold where run_id = $run_id and figure = $figure),
    placed as (
        select layer, head, threshold_ordinal, band_ordinal as placed_ordinal
        from head_band_by_threshold
        where run_id = $run_id and figure = $figure
    ),
    written as (
        select layer, head, string_agg(coalesce(chr((48 + placed_ordinal)::integer), '.'), '' order by threshold_ordinal) as bands
        from shown
        cross join asked
        left join placed using (layer, head, threshold_ordinal)
        group by layer, head
    ),
    final as (
        select layer, head, 'L' || layer || 'H' || head as head_label, range_ordinal, band_ordinal, bands
        from shown
        left join written using (layer, head)
    )
select * from final order by layer, head
