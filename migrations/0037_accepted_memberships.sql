-- no-transaction
-- The accepted memberships of a principal within one tenant, by account.
create index concurrently members_accepted_idx on members (tenant_id, issuer, subject, account_id) where accepted_at is not null;
