-- question: at one token, what does each head of one layer write, relative to its layer's mean?
-- grain: one row per (layer, head)
-- reads: worked_token, figure
with
    final as (
        select layer, head, printf('L%dH%d', layer, head) as head_label, position,
            text_before || case when starts_with(token, ' ') then ' ' else '' end as text_before, trim(token) as token, text_after, output_norm as norm, layer_mean_norm as mean,
            output_norm / layer_mean_norm as ratio, figure.threshold, output_norm / layer_mean_norm >= figure.threshold as active,
            count(*) over () as heads, count(*) filter (output_norm / layer_mean_norm >= figure.threshold) over () as active_heads
        from worked_token
        join figure on figure.figure = $figure
        where run_id = $run_id
    )
select * from final order by ratio desc, layer, head
