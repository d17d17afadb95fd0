-- A membership waits for its principal's consent until it has `accepted_at`. One that waits counts for calls that name its
-- account or one below it, and for nothing else.
--
-- Memberships from before this rule are accepted, as of now: `now()` is computed once and kept in the catalogue, so no row is
-- written. After that there is no default: a statement that does not say that a membership is accepted makes one that
-- waits. That is also what an older release writes while a rollout lasts. It knows no consent and works as before with such a
-- row; and nobody may use the time of a rollout, or of a rollback, to become a stranger's only account. Its principal
-- accepts it once, or names the account.
alter table members add column accepted_at timestamptz default now();
alter table members alter column accepted_at drop default;

-- Whether the principal has agreed to be a member in this tenant: true from its first accepted membership on, even if that
-- one has ended since. So what counts without a header is found without a look at tenants that only named the principal,
-- however many they are. It says where to look and nothing else: members have the truth. Rows are never deleted: a member
-- that is added at that moment would lose its row.
alter table principals add column accepted boolean not null default true;
alter table principals alter column accepted set default false;
