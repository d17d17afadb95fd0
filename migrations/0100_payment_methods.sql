-- The payment methods of customers: references to what a payment provider keeps, never a card number or an IBAN. They have
-- no column for the owner: they move with their customer.
--
-- A row never changes, so that a statement only adds and removes rows, under the customer's row.
create table payment_methods (
    tenant_id uuid not null,
    customer_id uuid not null,
    -- A UUIDv7: ids sort by the time of adding.
    id uuid not null,
    type text not null,
    provider text,
    -- The provider's reference. No event has it.
    token text,
    brand text,
    last_four text,
    expiry_month smallint,
    expiry_year smallint,
    channel text not null,
    created_at timestamptz not null,
    created_by jsonb not null,
    constraint payment_methods_pkey primary key (tenant_id, customer_id, id),
    constraint payment_methods_customer_id_fkey foreign key (tenant_id, customer_id)
        references customers (tenant_id, id),
    constraint payment_methods_type_check check (type in ('INVOICE', 'CARD', 'DIRECT_DEBIT', 'WALLET')),
    constraint payment_methods_channel_check check (channel in ('WEB', 'TELEPHONE')),
    constraint payment_methods_expiry_check check ((expiry_month is null) = (expiry_year is null))
);

-- Which of them is the default, and how many there are: what the customer shows, and what `allowed_actions` depend on, is
-- read with its row. Both change only with the customer's revision.
alter table customers
    add column default_payment_method_id uuid,
    add column payment_method_count smallint not null default 0;

comment on table payment_methods is 'References to what payment providers keep of customers, never a card number or an IBAN.';
comment on column payment_methods.tenant_id is 'The tenant.';
comment on column payment_methods.customer_id is 'The customer, whichever account owns it.';
comment on column payment_methods.id is 'A UUIDv7: ids sort by the time of adding.';
comment on column payment_methods.type is 'INVOICE, CARD, DIRECT_DEBIT or WALLET.';
comment on column payment_methods.provider is 'The payment provider.';
comment on column payment_methods.token is 'The provider''s reference. No event has it.';
comment on column payment_methods.brand is 'The brand, for people.';
comment on column payment_methods.last_four is 'The last four characters of the number, for people.';
comment on column payment_methods.expiry_month is 'The month in which it expires.';
comment on column payment_methods.expiry_year is 'The year in which it expires.';
comment on column payment_methods.channel is 'Where the customer gave it: WEB or TELEPHONE.';
comment on column payment_methods.created_at is 'When it was added.';
comment on column payment_methods.created_by is 'Who added it: the domain''s `Principal`.';
comment on column customers.default_payment_method_id is 'The default of its payment methods; null: none is set.';
comment on column customers.payment_method_count is 'How many payment methods it has: at most 20.';
