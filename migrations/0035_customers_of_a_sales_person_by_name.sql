-- no-transaction
-- A sales person's customers, by name.
create index concurrently customers_sales_person_id_idx on customers (tenant_id, sales_person_id, name_sort, id) where sales_person_id is not null;
