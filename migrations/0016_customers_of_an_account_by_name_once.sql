-- no-transaction
-- No list of this release sorts by name_key. While an older release still runs, its lists by name are sorted, not read in
-- order: slower for large accounts, and right. Three more indexes would cost every create and rename until then.
drop index concurrently customers_account_id_name_key_idx;
