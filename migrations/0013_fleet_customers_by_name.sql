-- no-transaction
-- The customers that an account shares with the accounts below it, by name.
create index concurrently customers_fleet_name_sort_idx on customers (tenant_id, account_id, name_sort, id)
where reach = 'FLEET';
