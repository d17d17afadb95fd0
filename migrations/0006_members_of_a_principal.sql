-- no-transaction
-- A principal's membership of one account, whichever of its memberships it is: authentication asks for the accounts on
-- one path. The index without account_id would read every membership that the principal has in the tenant, of which an
-- integration has one for each dealer. Next to it in the same order, so that a page of them needs no sort.
create index concurrently members_issuer_subject_account_id_idx on members (tenant_id, issuer, subject, account_id);
