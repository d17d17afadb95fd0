-- no-transaction
-- The list of an account and all accounts below it, by name. It reads the tenant's customers in order and filters.
create index concurrently customers_tenant_id_name_sort_idx on customers (tenant_id, name_sort, id);
