-- no-transaction
-- As 0016.
drop index concurrently customers_fleet_idx;
