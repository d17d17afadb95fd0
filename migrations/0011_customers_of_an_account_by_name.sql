-- no-transaction
-- The list of one account, by name.
create index concurrently customers_account_id_name_sort_idx on customers (tenant_id, account_id, name_sort, id);
