-- no-transaction
-- The branches of an account, by name.
create index concurrently branches_account_id_name_sort_idx on branches (tenant_id, account_id, name_sort, id);
