-- Tags: the labels that an account puts on customers. They are private to the account.

-- An account's catalogue of tags. Other accounts never see it.
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

-- The customers that have a tag: the source of truth. customer_links.tags and customers.owner_tags are copies.
create table customer_tags (
    tenant_id uuid not null,
    customer_id uuid not null,
    account_id uuid not null,
    tag_id uuid not null,
    constraint customer_tags_pkey primary key (tenant_id, customer_id, account_id, tag_id),
    constraint customer_tags_customer_id_fkey foreign key (tenant_id, customer_id) references customers (tenant_id, id),
    constraint customer_tags_tag_id_fkey foreign key (tenant_id, tag_id) references tags (tenant_id, id)
);

-- From a tag to its customers: for filters, for counts, and to delete the tag.
create index customer_tags_tag_id_idx on customer_tags (tenant_id, tag_id, customer_id);
