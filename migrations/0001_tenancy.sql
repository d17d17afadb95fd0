-- Tenants, their trees of accounts, the branches and members of the accounts, and open invitations.
--
-- tenant_id is the first column of every key, so that a tenant can move to a shard or to a database of its own. Key and
-- sort columns are collate "C": the order does not depend on the machine's C library.

create table tenants (
    -- Also the id of the provider's account, which is the root of the tenant's tree.
    tenant_id uuid not null,
    name text not null,
    -- Where customer names must be unique. A create reads this row `for key share`. A change to a stricter rule must
    -- lock it `for update`: a plain update does not wait for `for key share`.
    name_uniqueness text not null,
    -- The revision of the settings that a create depends on. A create names the revision that it read, and writes
    -- nothing if the revision has changed since.
    revision bigint not null default 1,
    created_at timestamptz not null,
    constraint tenants_pkey primary key (tenant_id),
    constraint tenants_name_uniqueness_check check (name_uniqueness in ('NONE', 'ACCOUNT', 'TENANT'))
);

create table accounts (
    tenant_id uuid not null,
    id uuid not null,
    parent_id uuid,
    -- The path to the root: the account itself, its parent, …, the provider. An account never changes its parent, so the
    -- path never changes.
    ancestors uuid[] not null,
    name text not null,
    -- What the account requires of its customers. The shape is the domain's `Policies`; no statement reads inside it.
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

-- The children of an account, oldest first: ids are UUIDv7.
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

-- The tenants in which a principal is a member. A token does not name a tenant, so authentication starts here. This is
-- one of the few keys that do not begin with the tenant.
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

-- The memberships of a principal within one tenant.
create index members_issuer_subject_idx on members (tenant_id, issuer, subject);

-- Future members of an account, known only by an email address. A row waits to be sent and has no token yet.
create table invitations (
    tenant_id uuid not null,
    id uuid not null,
    account_id uuid not null,
    email text not null,
    role text not null,
    created_at timestamptz not null,
    -- The principal that sent the invitation.
    created_by jsonb not null,
    constraint invitations_pkey primary key (tenant_id, id),
    constraint invitations_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id),
    constraint invitations_role_check check (role in ('VIEWER', 'MEMBER', 'SERVICE_MANAGER', 'ADMIN'))
);

-- An account's open invitations.
create index invitations_account_id_idx on invitations (tenant_id, account_id, id);
