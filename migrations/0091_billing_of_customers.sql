-- What a customer buys. In its row, because an activation decides by all of it and writes it under one revision.
alter table customers
    -- Its plan; null: the one that the nearest account at or above its owner recorded first. No foreign key: a plan is never
    -- deleted, and the check would lock the plan's row in every creation.
    add column rate_plan_id uuid,
    -- The credit limit and the active features: the domain's `Billing`.
    add column billing jsonb not null default '{}';

-- Who needs a price or a feature as it is: an index of `billing`, so that taking a price away looks at one row and not at
-- every customer. Written by the program with `billing`. A table of its own: an index of the row itself would make every
-- activation write all indexes of `customers`.
create table feature_uses (
    tenant_id uuid not null,
    customer_id uuid not null,
    -- `PLAN/CODE` for each active feature, with the plan that the customer is on, and `CLASS/CODE`, with its service class.
    key text collate "C" not null,
    constraint feature_uses_pkey primary key (tenant_id, key, customer_id),
    constraint feature_uses_customer_id_fkey foreign key (tenant_id, customer_id) references customers (tenant_id, id)
);
create index feature_uses_customer_id_idx on feature_uses (tenant_id, customer_id);

comment on column customers.rate_plan_id is 'Its rate plan; null: the first one that applied to its owner.';
comment on column customers.billing is 'Its credit limit and active features.';
comment on table feature_uses is 'Who needs a price or a feature as it is: an index of customers.billing.';
comment on column feature_uses.tenant_id is 'The tenant.';
comment on column feature_uses.customer_id is 'The customer.';
comment on column feature_uses.key is 'PLAN/CODE or CLASS/CODE of an active feature.';
