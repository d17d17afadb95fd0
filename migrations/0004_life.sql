-- What a customer's life adds: tags, holds, suspension. Old code meets this schema: every new column has a default.

alter table customers
    -- The owner's tags by id; their names are in `tags` alone, so that a rename is one row.
    add column owner_tags uuid[] not null default '{}',
    -- What blocks migrate, transfer, merge and erase: domain::hold::Hold, the oldest first.
    add column holds jsonb not null default '[]',
    drop constraint customers_status_check,
    add constraint customers_status_check check (status in ('PENDING', 'ACTIVE', 'REJECTED', 'SUSPENDED')),
    drop constraint customers_status_reason_check,
    add constraint customers_status_reason_check
        check ((status in ('REJECTED', 'SUSPENDED')) = (status_reason is not null));

-- An account's tags on the customer by id, the owner's too: an owner may come and go.
alter table customer_links add column tags uuid[] not null default '{}';

-- An account's catalogue of labels. Other accounts never see it.
create table tags (
    tenant_id uuid not null,
    id uuid not null,
    account_id uuid not null,
    name text not null,
    name_key text collate "C" not null,
    created_at timestamptz not null,
    constraint tags_pkey primary key (tenant_id, id),
    constraint tags_account_id_name_key_key unique (tenant_id, account_id, name_key),
    constraint tags_account_id_fkey foreign key (tenant_id, account_id) references accounts (tenant_id, id),
    constraint tags_name_check check (char_length(name) between 1 and 40)
);

-- Which customers an account has given a tag. The truth; the arrays above repeat it.
create table customer_tags (
    tenant_id uuid not null,
    customer_id uuid not null,
    account_id uuid not null,
    tag_id uuid not null,
    constraint customer_tags_pkey primary key (tenant_id, customer_id, account_id, tag_id),
    constraint customer_tags_customer_id_fkey foreign key (tenant_id, customer_id) references customers (tenant_id, id),
    constraint customer_tags_tag_id_fkey foreign key (tenant_id, tag_id) references tags (tenant_id, id)
);

-- From a tag to its customers: filters, counts, and what a deleted tag was on.
create index customer_tags_tag_id_idx on customer_tags (tenant_id, tag_id, customer_id);
