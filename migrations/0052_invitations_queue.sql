-- no-transaction
-- The queue of mails, which the sender of each replica takes in the order in which they are due. It serves all tenants,
-- so the tenant is not its first column.
create index concurrently invitations_queue_idx on invitations (next_attempt_at) where state = 'PENDING';
