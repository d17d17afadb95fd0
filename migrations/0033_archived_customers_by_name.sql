-- no-transaction
-- An account's archived customers, by name.
create index concurrently customers_archived_idx on customers (tenant_id, account_id, name_sort, id) where archived_at is not null;
