-- no-transaction
-- The customers of one account in the order of their ids: the billing report reads them so, from the first one or from where an
-- earlier stream ended, without a sort.
create index concurrently customers_account_id_id_idx on customers (tenant_id, account_id, id);
