-- no-transaction
-- Mails that one account asked for in the last day, which are limited.
create index concurrently invitations_inviter_account_id_idx on invitations (tenant_id, inviter_account_id, queued_at);
