-- question: which heads exceed chance most, label by label?
-- grain: one row per (label, layer, head)
-- reads: head_label, detector
-- rank: place among the heads of the label, the largest excess first.
with
    labelled as (
        select detector.ordinal, head_label.*,
            row_number() over (partition by head_label.label order by excess desc, layer, head) as rank
        from head_label
        join detector using (detector)
        where head_label.run_id = $run_id
    ),
    final as (
        select ordinal, label, layer, head, rank, 'L' || layer || 'H' || head as head_name, 100 * excess as excess_pct,
            100 * low as excess_low_pct, 100 * high as excess_high_pct, labels_passed, 100 * sink_mass as sink_pct
        from labelled
    )
select * from final order by ordinal, rank
