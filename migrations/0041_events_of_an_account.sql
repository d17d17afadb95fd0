-- no-transaction
-- The events of an account that are about no customer, in order. An expression, because account_id is null where the
-- acting account is meant: so the rows from before that column need no backfill.
create index concurrently events_account_idx on events (tenant_id, (coalesce(account_id, acting_account_id, tenant_id)), seq) where customer_id is null;
