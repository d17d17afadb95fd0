-- no-transaction
-- Mails of the tenant in the last day, which are limited: an account below another has a limit of its own, and anybody
-- may create many.
create index concurrently invitations_queued_at_idx on invitations (tenant_id, queued_at);
