-- Searching customers: a trigram index on a text per customer, in a table of its own. In `customers` every update would
-- insert all trigrams of the row again: 0.5 ms and 17 KB of WAL for a change of status.
--
-- customer_search has only text. The statement that writes the customer writes it, and only if the text changes: name,
-- legal name, primary address, email, phone, tax IDs. Everything else is read from the tables that own it: filters, owner
-- and sort order from `customers`, tags from customer_tags, custom IDs from custom_ids. So to approve, archive, tag, move
-- or renumber a customer writes nothing here.

create extension if not exists pg_trgm;

create table customer_search (
    tenant_id uuid not null,
    customer_id uuid not null,
    -- The folded text, as the domain's search makes it.
    doc text collate "C" not null,
    -- The folded country of the primary address, empty if there is none. It is a filter and in no index.
    country text collate "C" not null,
    constraint customer_search_pkey primary key (tenant_id, customer_id),
    constraint customer_search_customer_id_fkey foreign key (tenant_id, customer_id) references customers (tenant_id, id)
) with (fillfactor = 80); -- Free space on each page, so that a changed country stays on its page.

-- A GIN index has no leading tenant: a search finds candidates of all tenants and then drops those of others by their
-- key. fastupdate is off: every search would have to read the pending list.
create index customer_search_doc_idx on customer_search using gin (doc gin_trgm_ops) with (fastupdate = off);
create index custom_ids_search_key_idx on custom_ids using gin (search_key gin_trgm_ops) with (fastupdate = off);
