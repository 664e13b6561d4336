-- Values that somebody published for single heads or whole models, beside which a measured run can be held.

create table published_value (
    list varchar not null,
    ordinal integer not null,
    model varchar not null,
    model_name varchar not null,
    layers integer not null,
    heads_per_layer integer not null,
    run_file varchar not null,
    title varchar not null,
    kind varchar not null check (kind in ('heads', 'above', 'sinks')),
    measure varchar not null,
    unit varchar not null,
    source varchar not null,
    differs varchar not null,
    layer integer,
    head integer,
    first_layer integer,
    end_layer integer,
    above double check (isfinite(above)),
    value double check (isfinite(value)),
    run_id varchar
);
comment on table published_value is 'Published values of single heads and whole models, as report/published cites them, and the run that stands beside each.';
comment on column published_value.list is 'Name of the list that the value stands in.';
comment on column published_value.ordinal is 'Place in the list, from 0.';
comment on column published_value.model is 'Model on the hub; a run is of this model where its model is written the same and its shape is equal.';
comment on column published_value.model_name is 'Everyday name of the model.';
comment on column published_value.layers is 'Layers of the model.';
comment on column published_value.heads_per_layer is 'Query heads per layer.';
comment on column published_value.run_file is 'Run file that measures the model here.';
comment on column published_value.title is 'Title of the list.';
comment on column published_value.kind is 'heads: one head each; above: heads of a range of layers above a value; sinks: per cent of head-window pairs that are sinks.';
comment on column published_value.measure is 'The measure of ours that comes nearest.';
comment on column published_value.unit is 'Unit of the value.';
comment on column published_value.source is 'Where it was published.';
comment on column published_value.differs is 'How their definition and ours differ.';
comment on column published_value.layer is 'Layer of the head, counted from 0; null unless kind is heads.';
comment on column published_value.head is 'Query head within the layer; null unless kind is heads.';
comment on column published_value.first_layer is 'First layer of the range; null unless kind is above.';
comment on column published_value.end_layer is 'Layer after the last one of the range; null unless kind is above.';
comment on column published_value.above is 'Value that the heads lie above, in the measure''s unit; null unless kind is above.';
comment on column published_value.value is 'What was published, in the unit; null where a head was named without a value.';
comment on column published_value.run_id is 'Complete, unquantised run of the same model that has the measure, of several the one whose name comes first in the alphabet; null where nothing was measured.';
