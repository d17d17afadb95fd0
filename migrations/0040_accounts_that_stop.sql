-- Suspended tenants and accounts; the events of accounts.

-- Since when every call in the tenant is refused; null: it works.
alter table tenants add column suspended_at timestamptz;

-- Since when mutations that act in the account or below it are refused; null: it is not suspended itself. A look-up of
-- access reads it of the whole path, by at most eight primary keys.
alter table accounts add column suspended_at timestamptz;

-- The account that an event without a customer is about, if that is another one than the acting account. Null in most
-- rows, and in all that older code writes: then it is the acting account, or the provider's for a platform operator.
alter table events add column account_id uuid;
