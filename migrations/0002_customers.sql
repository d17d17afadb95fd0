-- Customers, the links of accounts to them, and their custom IDs.
--
-- One row of `customers` is the whole record: a read with joins takes almost twice as long. What statements
-- use (keys, filters, sort orders, input of decisions) is a column. The rest is one jsonb document, `profile`.
-- For the same reason the row repeats the owner's custom IDs and tags. custom_ids, customer_tags and customer_links are
-- the source of truth; a statement that changes them also updates the copy.

create table customers (
    tenant_id uuid not null,
    id uuid not null,
    account_id uuid not null,
    -- The owner's path, a copy of accounts.ancestors. `$root = any(ancestors)` is a cheap test for an account and all
    -- below it; a list of a thousand account ids is not.
    ancestors uuid[] not null,
    -- The revision of the record. The etag is made of this and of the revision of the acting account's link.
    revision bigint not null,
    -- The revision of the owner's row in customer_links; 0 if it has none.
    owner_link_revision bigint not null default 0,
    type text not null,
    service_class text not null,
    reach text not null,
    name text not null,
    name_key text collate "C" not null,
    -- Where the name must be unique, by the tenant's name_uniqueness: null (nowhere), the account's id or the tenant's id.
    name_scope uuid,
    status text not null,
    status_reason text,
    archived_at timestamptz,
    branch_id uuid,
    sales_person_id uuid,
    origin text not null,
    order_reference text collate "C",
    -- The shape is the domain's `Profile`.
    profile jsonb not null,
    -- The owner's current custom IDs, by system.
    owner_custom_ids jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    created_by jsonb not null,
    updated_by jsonb not null,
    -- The ids of the owner's tags. Their names are in `tags` only, so that a rename updates one row.
    owner_tags uuid[] not null default '{}',
    -- What blocks a migration, a transfer, a merge and an erasure: a list of the domain's `Hold`, oldest first.
    holds jsonb not null default '[]',
    -- The last migration of the customer to a reseller account: the domain's `Migration`. It is what a revert needs.
    migration jsonb,
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
    constraint customers_status_check check (status in ('PENDING', 'ACTIVE', 'REJECTED', 'SUSPENDED')),
    constraint customers_status_reason_check
        check ((status in ('REJECTED', 'SUSPENDED')) = (status_reason is not null)),
    constraint customers_origin_check check (origin in ('CONTROL_PANEL', 'MARKETPLACE', 'API', 'IMPORT'))
) with (fillfactor = 80); -- Free space on each page, so that an update that changes no indexed column stays on its page.

-- The list of one account, by name.
create index customers_account_id_name_key_idx on customers (tenant_id, account_id, name_key, id);

-- The list of an account and all accounts below it, by name. It reads the tenant's customers in order and filters.
create index customers_tenant_id_name_key_idx on customers (tenant_id, name_key, id);

-- The customers that an account shares with the accounts below it, by name.
create index customers_fleet_idx on customers (tenant_id, account_id, name_key, id) where reach = 'FLEET';

-- What an account that sees a customer keeps on it for itself, with a revision of its own. The owner has a link too. An
-- account without a row has no custom ID and no tag on the customer, at revision 0.
create table customer_links (
    tenant_id uuid not null,
    customer_id uuid not null,
    account_id uuid not null,
    revision bigint not null,
    -- The account's current custom IDs by system, a copy of custom_ids for reads by accounts that do not own the customer.
    custom_ids jsonb not null,
    -- The ids of the account's tags, a copy of customer_tags. The owner's row has them as well: a transfer can change
    -- the owner.
    tags uuid[] not null default '{}',
    constraint customer_links_pkey primary key (tenant_id, customer_id, account_id),
    constraint customer_links_customer_id_fkey foreign key (tenant_id, customer_id) references customers (tenant_id, id),
    constraint customer_links_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id)
);

-- The ids that accounts give to customers. A replaced id stays as an alias (is_current is false) until another customer
-- gets the same value.
create table custom_ids (
    tenant_id uuid not null,
    account_id uuid not null,
    system text collate "C" not null,
    value_key text collate "C" not null,
    customer_id uuid not null,
    value text not null,
    is_current boolean not null,
    created_at timestamptz not null,
    -- The text that a search matches. Custom IDs are searched in this table, so that a change writes them once. The
    -- folding is the same as in the domain's search: value_key without accents; chr(1) marks the start of the value and
    -- chr(2) the start of each word.
    search_key text collate "C" not null generated always as (
        chr(1) || regexp_replace(
            btrim(regexp_replace(
                translate(
                    normalize(
                        regexp_replace(
                            normalize(value_key, nfd),
                            '[\u0300-\u036f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u064b-\u065f\u0670]',
                            '', 'g'
                        ),
                        nfc
                    ),
                    'øłđħŧı', 'oldhti'
                ),
                ' +', ' ', 'g'
            )),
            '(^|[ -/:-@[-`{-~])(?=[^ -/:-@[-`{-~])', '\1' || chr(2), 'g'
        )
    ) stored,
    constraint custom_ids_pkey primary key (tenant_id, account_id, system, value_key, customer_id),
    constraint custom_ids_customer_id_fkey foreign key (tenant_id, customer_id) references customers (tenant_id, id),
    constraint custom_ids_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id),
    constraint custom_ids_value_check check (char_length(value) between 1 and 255)
);

-- Among current custom IDs: one customer per value, and one value per customer. A partial unique key must be an index.
create unique index custom_ids_value_key on custom_ids (tenant_id, account_id, system, value_key) where is_current;
create unique index custom_ids_system_key on custom_ids (tenant_id, customer_id, account_id, system) where is_current;

-- A look-up without a system searches all of the account's systems. The primary key cannot serve it: there the system
-- comes before the value.
create index custom_ids_value_idx on custom_ids (tenant_id, account_id, value_key);

-- All custom IDs and aliases that an account has given a customer.
create index custom_ids_customer_id_idx on custom_ids (tenant_id, customer_id, account_id);

-- What a customer's references may name, by the name of the field: something that its owner has. Statements check every
-- reference against this one view; a new reference adds a `union all` to it.

create view reference_targets as
select tenant_id, account_id, 'branch_id' as field, id from branches
union all
select tenant_id, account_id, 'sales_person_id', member_id from members;
