-- no-transaction
-- The list of all accounts below one by creation.
create index concurrently customers_tenant_id_created_at_idx on customers (tenant_id, created_at, id);
