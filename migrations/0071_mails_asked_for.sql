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

comment on column invitations.leased_until is 'Until when a replica holds the mail that it delivers; null: nobody holds it.';
comment on table invitation_mails is 'The mails of invitations that were asked for: the limits of a day count them.';
comment on column invitation_mails.tenant_id is 'The tenant.';
comment on column invitation_mails.invitation_id is 'The invitation.';
comment on column invitation_mails.asked_at is 'When the mail was asked for.';
comment on column invitation_mails.account_id is 'The acting account of the call that asked for it.';
