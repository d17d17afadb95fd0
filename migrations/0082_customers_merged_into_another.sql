-- no-transaction
-- The customers that were merged into one: erasing it erases them.
create index concurrently customers_merged_into_idx on customers (tenant_id, merged_into) where merged_into is not null;
