-- What happened, and what was answered. No foreign keys: history outlives what it tells of.

-- Which database this is. A restored copy gets a new epoch, so that cursors of the old one are not mistaken for its own.
create table feed_epoch (
    epoch bigint not null,
    constraint feed_epoch_pkey primary key (epoch)
);
create unique index feed_epoch_one_row_idx on feed_epoch ((true));
insert into feed_epoch (epoch) values (extract(epoch from clock_timestamp())::bigint);

-- Drawn after the customer's row is locked, so that for one customer its order is commit order. cache 1: a session that
-- kept numbers back would deal out old ones late.
create sequence events_seq cache 1;

-- Audit log, outbox and feed in one. Not partitioned: retention deletes in batches.
create table events (
    tenant_id uuid not null,
    id uuid not null,
    -- Neither seq nor xid is commit order across customers; a reader's window is a difference of snapshots, for which
    -- both are kept.
    epoch bigint not null,
    xid xid8 not null,
    seq bigint not null,
    at timestamptz not null,
    type text not null,
    customer_id uuid,
    -- The customer's revision after the change.
    revision bigint,
    -- Null: for whoever sees the customer. An account: a private change of its link.
    audience uuid,
    issuer text not null,
    subject text not null,
    -- Who acted for the principal: [{"issuer", "subject"}], the last one first.
    actors jsonb not null,
    -- Null for a platform operator.
    acting_account_id uuid,
    -- A member whom the event is about.
    member_id uuid,
    rpc text not null,
    request_id uuid,
    trace_id text,
    -- {"path": {"old": …, "new": …}}
    changes jsonb not null,
    constraint events_pkey primary key (tenant_id, id)
);

create index events_customer_id_idx on events (tenant_id, customer_id, seq);
-- The feed's: it reads all tenants by window.
create index events_feed_idx on events (epoch, xid, seq);

-- Answers of committed mutations that came with a request_id, kept 30 days.
create table requests (
    -- The nil UUID for what happens before there is a tenant.
    tenant_id uuid not null,
    -- Issuer, a space, subject. An issuer holds no space.
    principal text collate "C" not null,
    rpc text collate "C" not null,
    request_id uuid not null,
    -- Hash of the acting account and of the decoded message.
    fingerprint bytea not null,
    -- The customer that the answer tells of, for erasing; null for batches, which keep ids only.
    customer_id uuid,
    answer jsonb not null,
    created_at timestamptz not null,
    constraint requests_pkey primary key (tenant_id, principal, rpc, request_id)
);

create index requests_customer_id_idx on requests (tenant_id, customer_id);
-- The sweeper's.
create index requests_created_at_idx on requests (created_at);
