-- no-transaction
-- A branch's customers, by name.
create index concurrently customers_branch_id_idx on customers (tenant_id, branch_id, name_sort, id) where branch_id is not null;
