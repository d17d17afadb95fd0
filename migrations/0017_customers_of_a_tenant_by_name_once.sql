-- no-transaction
-- As 0016.
drop index concurrently customers_tenant_id_name_key_idx;
