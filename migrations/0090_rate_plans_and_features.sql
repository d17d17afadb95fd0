-- Rate plans and features: what a tenant sells by the month, and at which prices.

-- The tenant's catalogue of features. A feature is never deleted, only retired: events and customers name it by its code.
create table features (
    tenant_id uuid not null,
    code text collate "C" not null,
    name text not null,
    -- Whether an active feature costs what the customer's plan says.
    chargeable boolean not null,
    -- The service classes whose customers can have it.
    service_classes text[] not null,
    -- A retired feature stays with the customers that have it, and is not activated any more.
    retired boolean not null default false,
    revision bigint not null default 1,
    created_at timestamptz not null,
    constraint features_pkey primary key (tenant_id, code),
    constraint features_tenant_id_fkey foreign key (tenant_id) references tenants (tenant_id),
    constraint features_code_check check (char_length(code) between 1 and 63)
);

-- The plans of an account's list, and those that were in it. A plan is never deleted: customers keep an archived one.
create table rate_plans (
    tenant_id uuid not null,
    id uuid not null,
    account_id uuid not null,
    -- The order of the list; the first plan is the default of new customers.
    position integer not null,
    name text not null,
    currency text not null,
    -- Monthly prices by feature code, as decimal texts: {"voicemail": "2.50"}. A document, because a list shows all of
    -- them, and a price cannot be taken away by deleting a row beside it.
    prices jsonb not null,
    revision bigint not null default 1,
    created_at timestamptz not null,
    archived_at timestamptz,
    constraint rate_plans_pkey primary key (tenant_id, id),
    constraint rate_plans_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id)
);

-- The list of an account. The effective list of an account is that of the nearest account at or above it that has an entry
-- here: at most eight look-ups.
create index rate_plans_account_id_idx on rate_plans (tenant_id, account_id, position, id) where archived_at is null;
-- All plans of an account, archived ones too.
create index rate_plans_of_account_idx on rate_plans (tenant_id, account_id, id);

-- The first plan that the account's effective list ever had: set with the first plan of its own list, to that plan or to
-- what an account above had recorded by then. A customer without a plan of its own is on the one that the nearest account at
-- or above its owner has recorded. So customers from before the first plan need no write, and a later list of an account
-- between changes nothing for them.
alter table accounts add column first_rate_plan_id uuid;

-- For whoever looks at the database itself.
comment on table features is 'The tenant''s catalogue of features.';
comment on column features.tenant_id is 'The tenant.';
comment on column features.code is 'The code, which never changes.';
comment on column features.name is 'What people call it.';
comment on column features.chargeable is 'Whether an active one costs what the customer''s plan says.';
comment on column features.service_classes is 'The service classes whose customers can have it.';
comment on column features.retired is 'Whether it is not activated any more.';
comment on column features.revision is 'Counts its changes.';
comment on column features.created_at is 'When it was created.';
comment on table rate_plans is 'The rate plans of accounts, archived ones too.';
comment on column rate_plans.tenant_id is 'The tenant.';
comment on column rate_plans.id is 'The plan.';
comment on column rate_plans.account_id is 'The account whose list it is in.';
comment on column rate_plans.position is 'Its place in the list.';
comment on column rate_plans.name is 'What people call it.';
comment on column rate_plans.currency is 'The currency of its prices, which never changes.';
comment on column rate_plans.prices is 'Monthly prices by feature code, as decimal texts.';
comment on column rate_plans.revision is 'Counts its changes.';
comment on column rate_plans.created_at is 'When it was created.';
comment on column rate_plans.archived_at is 'When it left the list; null: it is in it.';
comment on column accounts.first_rate_plan_id is 'The first plan that applied to it: that of its customers without one of their own.';
