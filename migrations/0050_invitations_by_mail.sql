-- An invitation gets a token, and a row of `invitations` is the queue of its mail.
--
-- Columns are nullable or have a constant default: a row of an older release, which has an address, a role and nothing
-- else, is PENDING and due. The sender fills in what it lacks when it takes it.
alter table invitations
    -- PENDING: the mail waits or is being sent. SENT, ACCEPTED, REVOKED; FAILED: given up after two days. That an
    -- invitation has expired is no state: `expires_at` says it.
    add column state text not null default 'PENDING',
    -- The address as it is compared and counted: in lower case.
    add column email_key text collate "C",
    -- The language of the mail, a BCP 47 tag. Null: English.
    add column language text,
    -- SHA-256 of the token's secret. The secret is derived from a sealing key, and stored nowhere.
    add column token_hash bytea,
    -- Part of what the secret is derived from. A new one makes every earlier token invalid: the sender counts it up if
    -- the key that the token was derived from is no longer configured.
    add column generation integer not null default 1,
    add column expires_at timestamptz,
    -- The account that invited: the one to which the mail counts. It is the account itself or one above it.
    add column inviter_account_id uuid,
    -- Mails that were asked for: the invitation, and each ResendInvitation.
    add column mails integer not null default 1,
    -- When the last of them was asked for.
    add column queued_at timestamptz,
    add column attempts integer not null default 0,
    -- The first attempt of the mail that was asked for last. Two days after it the sender gives up.
    add column first_attempt_at timestamptz,
    -- When the sender may take the row. Taking it sets a time in the future, which is the lease of the replica that sends.
    add column next_attempt_at timestamptz not null default '2000-01-01T00:00:00Z',
    add column sent_at timestamptz,
    -- When it was accepted, revoked or given up.
    add column ended_at timestamptz,
    -- The member that accepting made, and the principal.
    add column member_id uuid,
    add column accepted_by jsonb,
    add constraint invitations_state_check
        check (state in ('PENDING', 'SENT', 'ACCEPTED', 'REVOKED', 'FAILED')) not valid;
