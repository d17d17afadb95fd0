-- no-transaction
-- For the sweeper, which deletes ended invitations of all tenants, and with them the addresses.
create index concurrently invitations_ended_idx on invitations ((coalesce(ended_at, expires_at)));
