-- A look-up that names no system finds a value in all of an account's systems; the primary key has the system first.
create index custom_ids_value_idx on custom_ids (tenant_id, account_id, value_key);
