-- no-transaction
-- The customers of one account in the order of their ids: the billing report reads them so, from the first one or from where an
-- earlier stream ended, without a sort. As bytes: by (tenant_id, account_id, id) the planner would read single customers, before
-- there are statistics, and go through all of the tenant's.
create index concurrently customers_account_id_id_idx on customers (tenant_id, account_id, (uuid_send(id)));
