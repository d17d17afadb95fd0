-- Searches find customers by lexemes in place of grams (0010, 0060): the starts of words, and of what follows inside them, which the
-- index finds by their own starts. They are half as many, so a write of a customer costs the index half as much, and a
-- condition on several words, fields and filters is one tsquery.

alter table custom_ids add column lexemes tsvector not null default '';
comment on column custom_ids.lexemes is 'What is searched of those words, for the index of searches. Computed by the program.';

-- The defaults are for rows of an older release: `migrate` makes their text again, because their version is old.
alter table customer_search
    add column lexemes tsvector not null default '',
    add column id_lexemes tsvector not null default '';
comment on column customer_search.lexemes is 'What is searched of the words, of the name, and what filters ask for, for the index.';
comment on column customer_search.id_lexemes is 'What is searched of the custom IDs of the owner, aliases too, for the index.';

-- The keys of a customer. A key is five letters of a hash (30 bits) of a node, a letter for the bucket, and the lexeme; those of lexemes that
-- begin with a capital letter have `~` in place of a bucket. The nodes: the owner, for text and custom IDs; the tenant, for searches in
-- many accounts, unless the owner is the tenant's provider; and each account between them, with one key that stands for no lexeme. A row
-- of an older release that has no owner yet has none. The statement of a search makes keys in the same way. Nothing but PostgreSQL's own
-- functions is called, as a restored dump makes the index without a search path. The cost keeps the planner from a scan that computes it
-- for every row.
create function customer_lexemes(
    tenant_id uuid, account_id uuid, ancestors uuid[], bucket integer, lexemes tsvector, id_lexemes tsvector
)
returns tsvector language plpgsql immutable parallel safe cost 100000 as $$
declare
    place text := chr(48 + bucket);
    own text := substr(encode(int8send(uuid_hash_extended(account_id, 0)), 'base64'), 1, 5);
    wide text := substr(encode(int8send(uuid_hash_extended(tenant_id, 1)), 'base64'), 1, 5);
    words text[] := tsvector_to_array(lexemes);
    keys text[];
begin
    if account_id is null then
        return '';
    end if;
    keys := array(
        select own || case when ascii(w) < 97 then '~' else place end || w
        from unnest(words || tsvector_to_array(id_lexemes)) w
    );
    if account_id <> tenant_id then
        keys := keys || array(
            select wide || case when ascii(w) < 97 then '~' else place end || w from unnest(words) w
        ) || array(
            select substr(encode(int8send(uuid_hash_extended(above, 3)), 'base64'), 1, 5) || place
            from unnest(ancestors) above
            where above <> account_id and above <> tenant_id
        );
    end if;
    return array_to_tsvector(keys);
end
$$;

-- The keys of a custom ID of an account that is not the customer's owner. They are hashed apart: a search among the customers of an
-- account above would otherwise find all of the account's own.
create function custom_id_lexemes(account_id uuid, bucket integer, lexemes tsvector)
returns tsvector language plpgsql immutable parallel safe cost 100000 as $$
declare
    own text := substr(encode(int8send(uuid_hash_extended(account_id, 2)), 'base64'), 1, 5);
    place text := chr(48 + bucket);
begin
    return array_to_tsvector(array(
        select own || case when ascii(w) < 97 then '~' else place end || w from unnest(tsvector_to_array(lexemes)) w
    ));
end
$$;
