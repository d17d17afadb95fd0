-- no-transaction
-- Customers by the key of their name: a stricter rule on names looks for equal ones in batches. Among those of one name
-- by owner, so that the next row says whether one account has two.
create index concurrently customers_name_key_account_id_idx on customers (tenant_id, name_key, account_id, id);
