-- no-transaction
-- Mails to one address in the last day, which are limited within the tenant.
create index concurrently invitations_email_key_idx on invitations (tenant_id, email_key, queued_at);
