-- How much a page may call dispensable: the limit, as a row.

create table price_budget (
    budget_nats double not null check (isfinite(budget_nats))
);
comment on table price_budget is 'One row: the rise of cross-entropy up to which silenced pairs are called jointly dispensable.';
comment on column price_budget.budget_nats is 'Limit on the upper end of the 95 % interval of the rise, nats per prediction.';
