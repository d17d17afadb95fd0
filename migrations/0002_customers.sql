-- Customers: one row is the record. What statements read (keys, filters, sort orders, what a decision needs) is a
-- column; the rest of what the customer is lies in `profile`, one jsonb document whose shape is domain::profile. The row
-- also repeats the owner's custom IDs (and, later, tags), so that reading a customer reads one row; customer_links and
-- custom_ids stay the truth.

create table customers (
    tenant_id uuid not null,
    id uuid not null,
    account_id uuid not null,
    -- The owner's path, repeated: `$root = any(ancestors)` costs nothing, a list of a thousand accounts does.
    ancestors uuid[] not null,
    -- Counts changes of the record; `etag` is made of it and of the link's revision.
    revision bigint not null,
    -- The revision of the owner's own customer_links row; 0 while there is none.
    owner_link_revision bigint not null default 0,
    type text not null,
    service_class text not null,
    reach text not null,
    name text not null,
    name_key text collate "C" not null,
    -- Where the name must be unique: null, the account or the tenant, as the tenant's name_uniqueness says.
    name_scope uuid,
    status text not null,
    status_reason text,
    archived_at timestamptz,
    branch_id uuid,
    sales_person_id uuid,
    origin text not null,
    order_reference text collate "C",
    profile jsonb not null,
    owner_custom_ids jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    created_by jsonb not null,
    updated_by jsonb not null,
    constraint customers_pkey primary key (tenant_id, id),
    constraint customers_name_key unique (tenant_id, name_scope, name_key),
    constraint customers_order_reference_key unique (tenant_id, account_id, order_reference),
    constraint customers_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id),
    constraint customers_branch_id_fkey foreign key (tenant_id, branch_id) references branches (tenant_id, id),
    constraint customers_ancestors_check check (
        ancestors[1] = account_id and ancestors[cardinality(ancestors)] = tenant_id
    ),
    constraint customers_type_check check (type in ('BUSINESS', 'PERSONAL')),
    constraint customers_service_class_check check (service_class in ('NORMAL', 'RESIDENTIAL')),
    constraint customers_reach_check check (reach in ('LOCAL', 'FLEET')),
    constraint customers_name_check check (char_length(name) between 1 and 120),
    constraint customers_status_check check (status in ('PENDING', 'ACTIVE', 'REJECTED')),
    constraint customers_status_reason_check check ((status = 'REJECTED') = (status_reason is not null)),
    constraint customers_origin_check check (origin in ('CONTROL_PANEL', 'MARKETPLACE', 'API', 'IMPORT'))
) with (fillfactor = 80); -- Room for updates that touch no index to stay on their page.

-- An account's list, by name.
create index customers_account_id_name_key_idx on customers (tenant_id, account_id, name_key, id);

-- What an account that sees a customer keeps on it privately, and how often that changed. The owner has one too; a
-- customer without a row here has no custom ID of that account (and no tag), at revision 0.
create table customer_links (
    tenant_id uuid not null,
    customer_id uuid not null,
    account_id uuid not null,
    revision bigint not null,
    -- The account's current custom IDs by system, repeated from custom_ids for reads by accounts that do not own the
    -- customer.
    custom_ids jsonb not null,
    constraint customer_links_pkey primary key (tenant_id, customer_id, account_id),
    constraint customer_links_customer_id_fkey foreign key (tenant_id, customer_id) references customers (tenant_id, id),
    constraint customer_links_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id)
);

-- Accounts' own ids for customers. Those that were replaced stay as aliases (is_current is false) until another customer
-- takes the value.
create table custom_ids (
    tenant_id uuid not null,
    account_id uuid not null,
    system text collate "C" not null,
    value_key text collate "C" not null,
    customer_id uuid not null,
    value text not null,
    is_current boolean not null,
    created_at timestamptz not null,
    constraint custom_ids_pkey primary key (tenant_id, account_id, system, value_key, customer_id),
    constraint custom_ids_customer_id_fkey foreign key (tenant_id, customer_id) references customers (tenant_id, id),
    constraint custom_ids_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id),
    constraint custom_ids_value_check check (char_length(value) between 1 and 255)
);

-- One customer per value, one value per customer, among the current ones. Partial, so indexes rather than constraints.
create unique index custom_ids_value_key on custom_ids (tenant_id, account_id, system, value_key) where is_current;
create unique index custom_ids_system_key on custom_ids (tenant_id, customer_id, account_id, system) where is_current;
