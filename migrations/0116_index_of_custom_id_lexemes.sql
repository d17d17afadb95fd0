-- no-transaction
create index concurrently custom_ids_custom_id_lexemes_idx on custom_ids
    using gin (custom_id_lexemes(account_id, bucket, lexemes)) with (fastupdate = off) where elsewhere;
