-- no-transaction
-- The list of one account by the last change. A change of the row writes this index too, and so all others of the row.
create index concurrently customers_account_id_updated_at_idx on customers (tenant_id, account_id, updated_at, id);
