-- no-transaction
-- An account's catalogue, by name.
create index concurrently tags_account_id_name_sort_idx on tags (tenant_id, account_id, name_sort, id);
