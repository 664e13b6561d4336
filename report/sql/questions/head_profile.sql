-- question: what is known of each head of this run in a few words: its label, whether it is a sink, and what it is worth?
-- grain: one row per (layer, head)
-- reads: head, head_label, detector, head_effect
-- A head of a run that no detector has scored has no label, which is not the label unclassified.
with
    final as (
        select head.layer, head.head, printf('L%dH%d', head.layer, head.head) as head_name, head_label.label, detector.title as looks_at,
            100 * head_label.excess as excess_points, 100 * head_label.low as excess_low_points, 100 * head_label.high as excess_high_points,
            head_label.labels_passed, case when head_label.is_sink then 'yes' when not head_label.is_sink then 'no' end as sink,
            head_effect.rise_millinats as effect_millinats, head_effect.low as effect_low_millinats, head_effect.high as effect_high_millinats
        from head
        left join head_label on head_label.run_id = head.run_id and head_label.layer = head.layer and head_label.head = head.head
        left join detector on detector.detector = head_label.detector
        left join head_effect
            on head_effect.run_id = head.run_id and head_effect.layer = head.layer and head_effect.head = head.head
            and head_effect.kind = 'attribution'
        where head.run_id = $run_id
    )
select * from final order by layer, head
