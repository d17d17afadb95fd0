-- Searching customers by grams: hashes of pieces of words, made by the domain's search, in one GIN index of bigint keys. A key
-- is 27 bits of a hash of an account, 5 bits of the customer's bucket and 32 bits of the gram. So the cost of a search follows
-- the matches of the account that asks, and a walk from bucket to bucket gives a page in order and stops when it is full.

drop index customer_search_doc_idx;
drop index custom_ids_search_key_idx;

-- A custom ID's words, as the domain's search makes them.
alter table custom_ids drop column search_key;
alter table custom_ids add column search_words text collate "C" not null default '';

-- The defaults are for rows of an older release: `migrate` makes their text again, because their version is old.
alter table customer_search
    -- The owner, for the keys. A change of the owner rewrites it.
    add column account_id uuid,
    -- The folded name.
    add column name text collate "C" not null default '',
    -- The part of the order by name that the customer is in: the domain's `SortKey::bucket`.
    add column bucket smallint not null default 0,
    -- What is searched of the customer.
    add column grams integer[] not null default '{}',
    -- What is searched of the custom IDs that accounts gave it, aliases too: grams by the account's id. It only grows.
    add column id_grams jsonb not null default '{}',
    -- The version of text and grams: the domain's `search::VERSION`.
    add column version smallint not null default 0;

-- The keys of a row: of its owner; of its tenant, for searches in many accounts, unless the owner is the tenant's provider; of each
-- account that gave it a custom ID. Those of an account that is not the owner are hashed apart: without that, a search among the
-- customers of an account above would find all of the account's own. The statement of a search makes keys in the same way. The cost
-- keeps the planner from a scan that computes it for every row.
create function search_keys(tenant_id uuid, account_id uuid, bucket integer, grams integer[], id_grams jsonb)
returns bigint[] language plpgsql immutable parallel safe cost 100000 as $$
declare
    place bigint := bucket::bigint << 32;
    own bigint := (uuid_hash_extended(account_id, 0) << 37) | place;
    wide bigint := (uuid_hash_extended(tenant_id, 1) << 37) | place;
    keys bigint[] := array(select own | (g & 4294967295) from unnest(grams) g);
begin
    if account_id <> tenant_id then
        keys := keys || array(select wide | (g & 4294967295) from unnest(grams) g);
    end if;
    if id_grams <> '{}' then
        keys := keys || array(
            select (uuid_hash_extended(i.key::uuid, case when i.key::uuid = account_id then 0 else 2 end) << 37) | place
                | (g::bigint & 4294967295)
            from jsonb_each(id_grams) i
            cross join lateral jsonb_array_elements_text(i.value) g
        );
    end if;
    return keys;
end
$$;

-- fastupdate is off: every search would have to read the pending list.
create index customer_search_keys_idx on customer_search
    using gin (search_keys(tenant_id, account_id, bucket, grams, id_grams)) with (fastupdate = off);

-- Without the rows that have no value these are smaller. With them, and before there are statistics, the planner took the smaller
-- index of a tenant's order references to read one customer by its id, and read all of the tenant's.
-- In this order: a create that breaks both is told of the name.
alter table customers drop constraint customers_name_key;
create unique index customers_name_key on customers (tenant_id, name_scope, name_key) where name_scope is not null;
alter table customers drop constraint customers_order_reference_key;
create unique index customers_order_reference_key on customers (tenant_id, account_id, order_reference)
    where order_reference is not null;
