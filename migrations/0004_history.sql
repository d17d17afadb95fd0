-- Events, and the stored answers of mutations. No foreign keys: both stay when what they refer to is deleted.

-- The identity of this database. A restored copy gets a new epoch, so that it does not accept the feed cursors of the
-- original.
create table feed_epoch (
    epoch bigint not null,
    constraint feed_epoch_pkey primary key (epoch)
);
create unique index feed_epoch_one_row_idx on feed_epoch ((true));
insert into feed_epoch (epoch) values (extract(epoch from clock_timestamp())::bigint);

-- A number is taken after the customer's row is locked, so the numbers of one customer's events are in commit order.
-- cache 1: a session that keeps numbers in a cache would give out old ones later.
create sequence events_seq cache 1;

-- The audit log, the outbox and the source of the feed. Not partitioned: retention deletes in batches.
create table events (
    tenant_id uuid not null,
    id uuid not null,
    -- Neither seq nor xid is in commit order across customers. A reader of the feed takes the difference of two
    -- snapshots, for which it needs both.
    epoch bigint not null,
    xid xid8 not null,
    seq bigint not null,
    at timestamptz not null,
    type text not null,
    customer_id uuid,
    -- The customer's revision after the change.
    revision bigint,
    -- Null: every account that sees the customer may read the event. An account: only this one (a change of its link).
    audience uuid,
    issuer text not null,
    subject text not null,
    -- Who acted for the principal: [{"issuer", "subject"}], the last one first.
    actors jsonb not null,
    -- Null for a platform operator.
    acting_account_id uuid,
    -- The member that the event is about.
    member_id uuid,
    rpc text not null,
    request_id uuid,
    trace_id text,
    -- {"path": {"old": …, "new": …}}
    changes jsonb not null,
    -- The workload that made the call, by its client certificate or its mesh: a SPIFFE id or a Linkerd identity. Not a
    -- part of `actors`: those are names in a token, and no issuer of tokens can set this one. Null without such proof.
    workload text,
    constraint events_pkey primary key (tenant_id, id)
);

-- The history of a customer.
create index events_customer_id_idx on events (tenant_id, customer_id, seq);
-- The events of an account. A revert of a migration asks whether the new account's own members have written anything.
create index events_acting_account_id_idx on events (tenant_id, acting_account_id, seq);
-- The feed, which reads the events of all tenants by window.
create index events_feed_idx on events (epoch, xid, seq);

-- The answers of committed mutations that had a request_id, kept for 30 days.
create table requests (
    -- The nil UUID for calls that do not belong to a tenant, such as CreateTenant.
    tenant_id uuid not null,
    -- Issuer, a space, subject. An issuer has no spaces.
    principal text collate "C" not null,
    rpc text collate "C" not null,
    request_id uuid not null,
    -- Hashes of the acting account, the narrowed customer and the decoded message: the domain's `Fingerprint`.
    fingerprint bytea not null,
    -- The customer in the answer, for erasure. Null for batches: their answers have only ids.
    customer_id uuid,
    answer jsonb not null,
    created_at timestamptz not null,
    constraint requests_pkey primary key (tenant_id, principal, rpc, request_id)
);

create index requests_customer_id_idx on requests (tenant_id, customer_id);
-- For the sweeper, which deletes the old answers of all tenants.
create index requests_created_at_idx on requests (created_at);
