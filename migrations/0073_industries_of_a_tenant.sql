-- The industries of the tenant's customers: an array of {code, name}, which UpdateAccount of the provider writes. Null: the list that
-- the program has by default. Customers keep what they have; only what is changed is compared with the list.
alter table tenants add column industries jsonb;

comment on column tenants.industries is 'The industries of the tenant''s customers, an array of {code, name}; null: the default list.';
