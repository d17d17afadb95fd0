-- What customers were before they were merged, for as long as a merge can be undone: one row for each customer of a merge, also for
-- the one that stays. The sweeper deletes rows after 30 days; erasing a customer deletes those of all merges that it was part of.
create table merge_images (
    tenant_id uuid not null,
    customer_id uuid not null,
    merge_id uuid not null,
    -- The one that stays.
    survivor_id uuid not null,
    -- The survivor first, then the others in the request's order.
    place integer not null,
    merged_at timestamptz not null,
    -- The rows before the merge: {"row": of customers, "custom_ids": […], "tags": […], "sources": ids merged into it before}.
    image jsonb not null,
    -- Of the survivor, the row of `customers` after the merge.
    after jsonb,
    constraint merge_images_pkey primary key (tenant_id, customer_id, merge_id),
    constraint merge_images_customer_id_fkey foreign key (tenant_id, customer_id) references customers (tenant_id, id)
);

-- All customers of a merge.
create index merge_images_merge_id_idx on merge_images (tenant_id, merge_id, place);
-- For the sweeper, which deletes the old images of all tenants.
create index merge_images_merged_at_idx on merge_images (merged_at);

-- The customer that had the custom ID before a merge gave it to this one. Null of one's own.
alter table custom_ids add column merged_from uuid;
