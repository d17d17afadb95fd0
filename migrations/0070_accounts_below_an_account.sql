-- no-transaction
-- The accounts below an account: for a reseller's list, which must not look at all accounts of its tenant. The ids of accounts are
-- unique, so the tenant is not in it.
create index concurrently accounts_ancestors_idx on accounts using gin (ancestors) with (fastupdate = off);
