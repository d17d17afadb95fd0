-- Two changes of the keys that searches find customers by (0010).
--
-- An account between the tenant's provider and the owner has a key of its own in each customer below it, so that what it finds among
-- all below costs what lies below it, not what lies in the tenant.
--
-- The grams of a custom ID are in its own row. customer_search keeps those of the owner alone, because a query can ask for words of the
-- text and of the owner's number together. An account that is not the owner changes its own row, whatever the customer has
-- beside: a FLEET customer can have numbers of a thousand accounts.

alter table custom_ids
    -- What is searched of the custom ID: the domain's grams.
    add column grams integer[] not null default '{}',
    -- The bucket of the customer.
    add column bucket smallint not null default 0,
    -- Whether the account is not the customer's owner.
    add column elsewhere boolean not null default false;

-- The owner's path, as in customers. Null in rows of an older release, until `migrate` has made their text again.
alter table customer_search add column ancestors uuid[];

-- The keys of a customer: of its owner, for text and custom IDs; of its tenant, for searches in many accounts, unless the owner is the
-- tenant's provider; and one that stands for no gram of each account between them. The cost keeps the planner from a scan that
-- computes it for every row.
create function customer_keys(
    tenant_id uuid, account_id uuid, ancestors uuid[], bucket integer, grams integer[], id_grams jsonb
)
returns bigint[] language plpgsql immutable parallel safe cost 100000 as $$
declare
    place bigint := bucket::bigint << 32;
    own bigint := (uuid_hash_extended(account_id, 0) << 37) | place;
    wide bigint := (uuid_hash_extended(tenant_id, 1) << 37) | place;
    keys bigint[] := array(select own | (g & 4294967295) from unnest(grams) g);
begin
    if account_id <> tenant_id then
        keys := keys || array(select wide | (g & 4294967295) from unnest(grams) g)
            || array(
                select (uuid_hash_extended(above, 3) << 37) | place from unnest(ancestors) above
                where above <> account_id and above <> tenant_id
            );
    end if;
    if id_grams <> '{}' then
        keys := keys || array(
            select own | (g::bigint & 4294967295) from jsonb_array_elements_text(id_grams -> account_id::text) g
        );
    end if;
    return keys;
end
$$;

-- The keys of a custom ID of an account that is not the customer's owner. They are hashed apart: a search among the customers of an
-- account above would otherwise find all of the account's own.
create function custom_id_keys(account_id uuid, bucket integer, grams integer[])
returns bigint[] language plpgsql immutable parallel safe cost 100000 as $$
declare
    place bigint := (uuid_hash_extended(account_id, 2) << 37) | (bucket::bigint << 32);
begin
    return array(select place | (g & 4294967295) from unnest(grams) g);
end
$$;
