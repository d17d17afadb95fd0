-- Tenants, their trees of accounts, and who is a member where.
--
-- tenant_id comes first in every key, so that a tenant can live on a shard or in a database of its own. Sort and key
-- columns are collate "C": the same order on every machine, whatever its C library.

create table tenants (
    -- Also the id of its provider's account.
    tenant_id uuid not null,
    name text not null,
    -- Creates read it `for key share`; whoever tightens it locks the row first. A plain update would not exclude them.
    name_uniqueness text not null,
    -- Counts changes of what creates decide by: a create names the revision it decided on and writes nothing if it moved.
    revision bigint not null default 1,
    created_at timestamptz not null,
    constraint tenants_pkey primary key (tenant_id),
    constraint tenants_name_uniqueness_check check (name_uniqueness in ('NONE', 'ACCOUNT', 'TENANT'))
);

create table accounts (
    tenant_id uuid not null,
    id uuid not null,
    parent_id uuid,
    -- The account itself, its parent … the provider. The tree only grows, so a path never changes.
    ancestors uuid[] not null,
    name text not null,
    -- What it asks of its customers: domain::account::Policies. No statement looks inside.
    policies jsonb not null,
    revision bigint not null default 1,
    created_at timestamptz not null,
    constraint accounts_pkey primary key (tenant_id, id),
    constraint accounts_tenant_id_fkey foreign key (tenant_id) references tenants (tenant_id),
    constraint accounts_parent_id_fkey foreign key (tenant_id, parent_id) references accounts (tenant_id, id),
    constraint accounts_ancestors_check check (
        cardinality(ancestors) between 1 and 8
        and ancestors[1] = id
        and ancestors[cardinality(ancestors)] = tenant_id
        and ancestors[2] is not distinct from parent_id
    )
);

-- Children of an account, the oldest first; ids are UUIDv7.
create index accounts_parent_id_idx on accounts (tenant_id, parent_id, id);

create table branches (
    tenant_id uuid not null,
    id uuid not null,
    account_id uuid not null,
    name text not null,
    name_key text collate "C" not null,
    dms_integrated boolean not null,
    created_at timestamptz not null,
    constraint branches_pkey primary key (tenant_id, id),
    constraint branches_account_id_name_key_key unique (tenant_id, account_id, name_key),
    constraint branches_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id)
);

-- In which tenants a principal is a member of something. A token names no tenant, so this is where a call starts, and
-- one of the few keys that may begin with something else than the tenant.
create table principals (
    issuer text collate "C" not null,
    subject text collate "C" not null,
    tenant_id uuid not null,
    constraint principals_pkey primary key (issuer, subject, tenant_id)
);

create table members (
    tenant_id uuid not null,
    member_id uuid not null,
    account_id uuid not null,
    issuer text collate "C" not null,
    subject text collate "C" not null,
    role text not null,
    created_at timestamptz not null,
    constraint members_pkey primary key (tenant_id, member_id),
    constraint members_principal_key unique (tenant_id, account_id, issuer, subject),
    constraint members_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id),
    constraint members_role_check check (role in ('VIEWER', 'MEMBER', 'SERVICE_MANAGER', 'ADMIN'))
);

-- A principal's memberships within one of its tenants.
create index members_issuer_subject_idx on members (tenant_id, issuer, subject);
