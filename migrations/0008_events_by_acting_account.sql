-- no-transaction
-- What was done in an account: whether its own members have written anything, which ends the time in which the
-- migration that made it can be reverted.
create index concurrently events_acting_account_id_idx on events (tenant_id, acting_account_id, seq);
