-- no-transaction
-- Stored answers that show an invitation, and so an email address: erasing a customer deletes those of its addresses. Few answers
-- are of this kind.
create index concurrently requests_invitation_idx on requests (tenant_id, (answer -> 'invitation' ->> 'id'))
    where answer -> 'invitation' ->> 'id' is not null;
