-- no-transaction
-- The tenants in which a principal has agreed to be a member. A token names no tenant, so this does not begin with it either.
create index concurrently principals_accepted_idx on principals (issuer, subject, tenant_id) where accepted;
