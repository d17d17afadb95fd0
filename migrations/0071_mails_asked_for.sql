-- Until when a replica holds the mail that it delivers. Asking for the mail again never shortens it. Null: nobody holds it, or an
-- older release does, whose lease is in `next_attempt_at` alone.
alter table invitations add column leased_until timestamptz;

-- Each mail that was asked for, by the account that asked: the limits of a day count them. Rows of `invitations` alone cannot say it:
-- several accounts may ask for the mails of one invitation, at several times. It has no address, and goes with its invitation.
create table invitation_mails (
    tenant_id uuid not null,
    invitation_id uuid not null,
    asked_at timestamptz not null,
    -- The acting account: the one that invites to or one above it.
    account_id uuid not null,
    constraint invitation_mails_pkey primary key (tenant_id, invitation_id, asked_at),
    constraint invitation_mails_invitation_id_fkey foreign key (tenant_id, invitation_id)
        references invitations (tenant_id, id) on delete cascade
);
create index invitation_mails_account_id_idx on invitation_mails (tenant_id, account_id, asked_at);
create index invitation_mails_asked_at_idx on invitation_mails (tenant_id, asked_at);
