-- no-transaction
-- The list of one account by creation.
create index concurrently customers_account_id_created_at_idx on customers (tenant_id, account_id, created_at, id);
