-- no-transaction
-- The list of all accounts below one by the last change.
create index concurrently customers_tenant_id_updated_at_idx on customers (tenant_id, updated_at, id);
