-- Searching customers: a plain trigram index, in a table of its own. Updating `customers` would otherwise re-insert every
-- trigram of the row (0.5 ms and 17 KB of WAL for a change of status).
--
-- customer_search holds nothing but text, written by the statement that writes the record, and only where the text
-- changes: at creation, and by updates of name, legal name, primary address, email, phone and tax IDs. What a search
-- filters by, who owns the customer and the order of the list are read from `customers`, tags from customer_tags and
-- numbers from custom_ids, which stay the truth: approving, archiving, tagging, numbering and moving a customer write
-- nothing here.

create extension if not exists pg_trgm;

create table customer_search (
    tenant_id uuid not null,
    customer_id uuid not null,
    -- The folded text, as domain::search makes it.
    doc text collate "C" not null,
    -- The folded country of the primary address; a filter, in no index. Empty if there is none.
    country text collate "C" not null,
    constraint customer_search_pkey primary key (tenant_id, customer_id),
    constraint customer_search_customer_id_fkey foreign key (tenant_id, customer_id) references customers (tenant_id, id)
) with (fillfactor = 80); -- Room for a changed country beside the row it replaces.

-- GIN knows no leading tenant: whoever searches fetches candidates of others and drops them by their key. A pending list
-- would be read by every search.
create index customer_search_doc_idx on customer_search using gin (doc gin_trgm_ops) with (fastupdate = off);

-- Custom IDs are searched where they are, so that whoever changes them writes them once. The folding of a value is that
-- of domain::search: value_key without its accents; character 1 where the value begins, character 2 where a word does.
alter table custom_ids
    add column search_key text collate "C" not null generated always as (
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
    ) stored;

create index custom_ids_search_key_idx on custom_ids using gin (search_key gin_trgm_ops) with (fastupdate = off);

-- All that an account ever called a customer.
create index custom_ids_customer_id_idx on custom_ids (tenant_id, customer_id, account_id);

-- A tenant's list by name, for accounts that list everything below them.
create index customers_tenant_id_name_key_idx on customers (tenant_id, name_key, id);

-- What an account shows to those below it, by name.
create index customers_fleet_idx on customers (tenant_id, account_id, name_key, id) where reach = 'FLEET';
