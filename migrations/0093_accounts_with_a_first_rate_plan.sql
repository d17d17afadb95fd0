-- no-transaction
-- The accounts that recorded a first plan: few, or none. A customer without a plan of its own looks for them on its path.
create index concurrently accounts_first_rate_plan_idx on accounts (tenant_id, id) where first_rate_plan_id is not null;
