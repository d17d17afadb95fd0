-- no-transaction
create index concurrently customer_search_customer_keys_idx on customer_search
    using gin (customer_keys(tenant_id, account_id, ancestors, bucket, grams, id_grams)) with (fastupdate = off);
