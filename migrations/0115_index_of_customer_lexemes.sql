-- no-transaction
create index concurrently customer_search_customer_lexemes_idx on customer_search
    using gin (customer_lexemes(tenant_id, account_id, ancestors, bucket, lexemes, id_lexemes)) with (fastupdate = off);
