-- no-transaction
-- An account's customers that wait for approval, by name. They are few.
create index concurrently customers_pending_idx on customers (tenant_id, account_id, name_sort, id) where status = 'PENDING';
