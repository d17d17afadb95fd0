-- no-transaction
create index concurrently custom_ids_custom_id_keys_idx on custom_ids
    using gin (custom_id_keys(account_id, bucket, grams)) with (fastupdate = off) where elsewhere;
