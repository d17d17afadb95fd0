-- no-transaction
-- The memberships that wait for a principal's consent within one tenant, by account.
create index concurrently members_waiting_idx on members (tenant_id, issuer, subject, account_id) where accepted_at is null;
