-- What customers are compared by to find duplicates: a row for each value (a tax number, an email address, a phone number, a name in
-- a city) and each account that finds the customer by it, which are the owner and the accounts above it. So each account looks up
-- its values in an index of its own customers and those below it, and reads no more rows of a value than it asks for, however many
-- customers have it. A GIN index would read all of them before the first.
--
-- A key is the domain's `duplicates::Key`: a hash with the kind of the value in its lowest bits. One of them marks rows of what the
-- accounts below the owner of a FLEET customer are shown; they have the owner's account alone.
--
-- There is no foreign key to customers: the statement that writes a customer writes these rows, customers are never deleted, and a
-- check of each row would cost more than its insertion.
create table duplicate_keys (
    tenant_id uuid not null,
    -- An account that finds the customer by the key: the owner, or one above it. A move to another account changes it.
    account_id uuid not null,
    key bigint not null,
    customer_id uuid not null,
    -- In this order, so that a look-up reads the first few customers of an account with a key and stops.
    constraint duplicate_keys_pkey primary key (tenant_id, account_id, key, customer_id)
);

-- All rows of a customer, for changes and moves of it. The condition holds for all rows; a statement names it to use the index.
-- Without it the planner would take this index for a look-up as well, where statistics do not know the tenant: it is smaller, and has
-- the order, and then all of the tenant's rows are read.
create index duplicate_keys_customer_id_idx on duplicate_keys (tenant_id, customer_id)
    where customer_id <> '00000000-0000-0000-0000-000000000000';

comment on table duplicate_keys is 'What customers are compared by to find duplicates: a row for each value and each account that finds the customer by it.';
comment on column duplicate_keys.tenant_id is 'The tenant.';
comment on column duplicate_keys.account_id is 'An account that finds the customer by the key: the owner, or one above it.';
comment on column duplicate_keys.key is 'A hash of the value, with its kind in the lowest bits.';
comment on column duplicate_keys.customer_id is 'The customer.';
