-- no-transaction
-- The mails that wait, the oldest first: how long the oldest has waited is measured. It serves all tenants, so the tenant is not its
-- first column.
create index concurrently invitations_unsent_idx on invitations ((coalesce(queued_at, created_at))) where state = 'PENDING';
