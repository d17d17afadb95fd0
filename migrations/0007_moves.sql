-- Customers that go to another account: migrated to a reseller account of their own, and transferred.

-- What MigrateCustomerToReseller did with the customer, for taking it back: domain::migration::Migration. Null: nothing.
alter table customers add column migration jsonb;

-- Whoever is to become a member of an account and is known by an email address alone. A row waits to be sent; it holds
-- no token yet.
create table invitations (
    tenant_id uuid not null,
    id uuid not null,
    account_id uuid not null,
    email text not null,
    role text not null,
    created_at timestamptz not null,
    -- The principal that invited.
    created_by jsonb not null,
    constraint invitations_pkey primary key (tenant_id, id),
    constraint invitations_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id),
    constraint invitations_role_check check (role in ('VIEWER', 'MEMBER', 'SERVICE_MANAGER', 'ADMIN'))
);

-- An account's open invitations.
create index invitations_account_id_idx on invitations (tenant_id, account_id, id);
