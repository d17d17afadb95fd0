-- What each table and column is for, for whoever looks at the database itself: psql shows it with \d+. No table is locked for
-- writes by it. A new table or column brings its comments along: tests/it/schema_comments.rs.

comment on table tenants is 'A provider (a distributor) and everything below it. Its id is also the id of its top account.';
comment on column tenants.tenant_id is 'The tenant, and its top account.';
comment on column tenants.name is 'The name of the provider.';
comment on column tenants.name_uniqueness is 'Where names of customers must be unique: NONE, ACCOUNT or TENANT.';
comment on column tenants.revision is 'Counts the changes of this row; a write decided on an older one is tried again.';
comment on column tenants.created_at is 'When the tenant was created.';
comment on column tenants.suspended_at is 'When an operator suspended it; null: it works.';

comment on table accounts is 'A node of the tree of a tenant: the provider at the top, its resellers below it. The tree only grows.';
comment on column accounts.tenant_id is 'The tenant.';
comment on column accounts.id is 'The account.';
comment on column accounts.parent_id is 'The account directly above; null at the top.';
comment on column accounts.ancestors is 'The ids of this account and of all above it, the top last.';
comment on column accounts.name is 'The name as given.';
comment on column accounts.policies is 'What it requires of its customers and their callers, as a versioned document; copied from the parent when the account is created.';
comment on column accounts.revision is 'Counts the changes of this row.';
comment on column accounts.created_at is 'When the account was created.';
comment on column accounts.suspended_at is 'When an account above suspended it; null: it works.';

comment on table branches is 'An office or site of an account, as a label for customers.';
comment on column branches.tenant_id is 'The tenant.';
comment on column branches.id is 'The branch.';
comment on column branches.account_id is 'The account that has it.';
comment on column branches.name is 'The name as given.';
comment on column branches.name_key is 'The folded name, unique in the account. Computed by the program.';
comment on column branches.dms_integrated is 'Whether the branch works with a dealer management system.';
comment on column branches.created_at is 'When the branch was created.';
comment on column branches.name_sort is 'The sort key of the name: the Unicode root collation. Computed by the program.';

comment on table principals is 'In which tenants a principal has memberships: where a call looks first, as its token names no tenant.';
comment on column principals.issuer is 'The iss of its tokens.';
comment on column principals.subject is 'The sub of its tokens.';
comment on column principals.tenant_id is 'A tenant in which it has, or had, a membership.';
comment on column principals.accepted is 'Whether it ever accepted one there. Never cleared; the table members has the truth.';

comment on table members is 'The roles of principals in accounts. A role also holds in every account below.';
comment on column members.tenant_id is 'The tenant.';
comment on column members.member_id is 'The membership.';
comment on column members.account_id is 'The account.';
comment on column members.issuer is 'The iss of the tokens of the principal.';
comment on column members.subject is 'The sub of the tokens of the principal.';
comment on column members.role is 'VIEWER, MEMBER, SERVICE_MANAGER or ADMIN.';
comment on column members.created_at is 'When it was given.';
comment on column members.accepted_at is 'When the principal agreed; null: it waits for the consent of the principal.';

comment on table invitations is 'Email addresses that are invited to become members. The row is also the queue of its mail.';
comment on column invitations.tenant_id is 'The tenant.';
comment on column invitations.id is 'The invitation.';
comment on column invitations.account_id is 'The account to join.';
comment on column invitations.email is 'The address as given; personal data.';
comment on column invitations.role is 'The role that the member gets.';
comment on column invitations.created_at is 'When it was created.';
comment on column invitations.created_by is 'The principal that invited, as JSON.';
comment on column invitations.state is 'PENDING, SENT, ACCEPTED, REVOKED or FAILED. That it has expired is not a state: see expires_at.';
comment on column invitations.email_key is 'The address as it is compared and counted: in lower case.';
comment on column invitations.language is 'The language of the mail; null: English.';
comment on column invitations.token_hash is 'SHA-256 of the secret of the token in the link. The secret is derived from a sealing key, and stored nowhere.';
comment on column invitations.generation is 'Part of what the secret of the token is derived from. A higher one makes all earlier tokens invalid.';
comment on column invitations.expires_at is 'Until when it can be accepted.';
comment on column invitations.inviter_account_id is 'The account that invited, to which the mail counts: the account itself or one above it.';
comment on column invitations.mails is 'Mails that were asked for: the invitation, and each time it was sent again.';
comment on column invitations.queued_at is 'When the last of these mails was asked for.';
comment on column invitations.attempts is 'How often sending that mail was tried.';
comment on column invitations.first_attempt_at is 'When it was tried first; two days later the sender gives up.';
comment on column invitations.next_attempt_at is 'When a sender may take the row; taking it sets a later time, for as long as it may take to send.';
comment on column invitations.sent_at is 'When the last mail was handed to the mail server.';
comment on column invitations.ended_at is 'When it was accepted, revoked or given up; the row is deleted 30 days later.';
comment on column invitations.member_id is 'The membership that was made of it.';
comment on column invitations.accepted_by is 'The principal that accepted it, as JSON.';

comment on table customers is 'The end customers. One row is the whole record; side tables serve uniqueness, filters and other accounts.';
comment on column customers.tenant_id is 'The tenant.';
comment on column customers.id is 'The customer (UUIDv7). Never changes.';
comment on column customers.account_id is 'The account that owns it.';
comment on column customers.ancestors is 'The owner and all accounts above it, as in accounts.';
comment on column customers.revision is 'Counts the changes of the row; part of the etag.';
comment on column customers.owner_link_revision is 'The revision of the link of the owner, repeated here.';
comment on column customers.type is 'BUSINESS or PERSONAL.';
comment on column customers.service_class is 'NORMAL or RESIDENTIAL.';
comment on column customers.reach is 'LOCAL: seen by the owner and above. FLEET: by the accounts below the owner too.';
comment on column customers.name is 'The name as given.';
comment on column customers.name_key is 'The folded name. Computed by the program.';
comment on column customers.name_scope is 'Where the name must be unique: null (nowhere), the account or the tenant.';
comment on column customers.status is 'PENDING, ACTIVE, REJECTED or SUSPENDED.';
comment on column customers.status_reason is 'Why it was rejected or suspended.';
comment on column customers.archived_at is 'When it was archived; null: it is not.';
comment on column customers.branch_id is 'The branch of the owner that serves it.';
comment on column customers.sales_person_id is 'The member of the owner that looks after it; kept when that member goes.';
comment on column customers.origin is 'How it was created.';
comment on column customers.order_reference is 'The order that created it; unique in the account.';
comment on column customers.profile is 'The fields that no statement reads, as a versioned document; personal data.';
comment on column customers.owner_custom_ids is 'The custom IDs of the owner, repeated from customer_links.';
comment on column customers.created_at is 'When it was created.';
comment on column customers.updated_at is 'When it was last changed.';
comment on column customers.created_by is 'The principal that created it, as JSON.';
comment on column customers.updated_by is 'The principal that last changed it, as JSON.';
comment on column customers.owner_tags is 'The tags of the owner, repeated from customer_links.';
comment on column customers.holds is 'What keeps the customer in its account, as JSON.';
comment on column customers.migration is 'The migration that made a reseller of it, as JSON; null: none.';
comment on column customers.name_sort is 'The sort key of the name. Computed by the program.';

comment on table customer_links is 'What an account that sees a customer keeps on it privately: its custom IDs and tags.';
comment on column customer_links.tenant_id is 'The tenant.';
comment on column customer_links.customer_id is 'The customer.';
comment on column customer_links.account_id is 'The account whose link it is.';
comment on column customer_links.revision is 'Counts the changes of the link; part of the etag that this account sees.';
comment on column customer_links.custom_ids is 'The current custom IDs, by system, as JSON.';
comment on column customer_links.tags is 'The ids of the tags.';

comment on table custom_ids is 'The ids that accounts gave to customers, current ones and aliases, for uniqueness and look-ups.';
comment on column custom_ids.tenant_id is 'The tenant.';
comment on column custom_ids.account_id is 'The account that gave it.';
comment on column custom_ids.system is 'The program that it belongs to: default, erp, dms, billing or another.';
comment on column custom_ids.value_key is 'The folded value.';
comment on column custom_ids.customer_id is 'The customer.';
comment on column custom_ids.value is 'The value as given.';
comment on column custom_ids.is_current is 'Whether it is the current one; else an alias, which look-ups still find.';
comment on column custom_ids.created_at is 'When it was given.';
comment on column custom_ids.search_words is 'The words of the value for searches. Computed by the program.';
comment on column custom_ids.grams is 'Hashes of parts of those words, for the index of searches.';
comment on column custom_ids.bucket is 'The part of the order by name that the customer is in, for the index of searches.';
comment on column custom_ids.elsewhere is 'Whether the account does not own the customer.';

comment on table customer_search is 'The words by which searches find a customer, written by the statement that writes the customer.';
comment on column customer_search.tenant_id is 'The tenant.';
comment on column customer_search.customer_id is 'The customer.';
comment on column customer_search.doc is 'The folded words of the searched fields; personal data.';
comment on column customer_search.country is 'The country of the primary address, folded, for the filter.';
comment on column customer_search.account_id is 'The owner, repeated for the index.';
comment on column customer_search.name is 'The folded name.';
comment on column customer_search.bucket is 'The part of the order by name that the customer is in, for the index.';
comment on column customer_search.grams is 'Hashes of parts of the words, for the index.';
comment on column customer_search.id_grams is 'The same of the custom IDs of the owner, by account, as JSON.';
comment on column customer_search.version is 'The version of the rule by which the program made words and hashes; older ones are made again by clientele migrate.';
comment on column customer_search.ancestors is 'The path of the owner, as in customers; null in rows of an older release.';

comment on table tags is 'The catalogue of tags of an account.';
comment on column tags.tenant_id is 'The tenant.';
comment on column tags.id is 'The tag.';
comment on column tags.account_id is 'The account that has it; others never see it.';
comment on column tags.name is 'The name as given.';
comment on column tags.name_key is 'The folded name, unique in the account.';
comment on column tags.created_at is 'When it was created.';
comment on column tags.name_sort is 'The sort key of the name.';

comment on table customer_tags is 'Which customers have which tags, for filters by tag.';
comment on column customer_tags.tenant_id is 'The tenant.';
comment on column customer_tags.customer_id is 'The customer.';
comment on column customer_tags.account_id is 'The account whose tag it is.';
comment on column customer_tags.tag_id is 'The tag.';

comment on table events is 'Every change, written in its transaction: the audit log, the outbox and the source of the feed. Rows are never changed.';
comment on column events.tenant_id is 'The tenant.';
comment on column events.id is 'The event.';
comment on column events.epoch is 'Which database wrote it: see feed_epoch.';
comment on column events.xid is 'The transaction that wrote it.';
comment on column events.seq is 'The order of the events of one customer: taken after its row is locked.';
comment on column events.at is 'When the change was decided.';
comment on column events.type is 'What happened.';
comment on column events.customer_id is 'The customer; null: an event of an account.';
comment on column events.revision is 'The revision of the customer after the change.';
comment on column events.audience is 'The only account that sees it; null: whoever sees the customer.';
comment on column events.issuer is 'The iss of the tokens of the caller.';
comment on column events.subject is 'The sub of the tokens of the caller.';
comment on column events.actors is 'On whose behalf the caller acted, as JSON.';
comment on column events.acting_account_id is 'The account in which the call acted.';
comment on column events.member_id is 'The membership by which the caller acted.';
comment on column events.rpc is 'The RPC.';
comment on column events.request_id is 'The request_id of the call, if it had one.';
comment on column events.trace_id is 'The trace of the call.';
comment on column events.changes is 'The changed fields with old and new values, as JSON; personal data.';
comment on column events.workload is 'The program that called, if its connection proved one.';
comment on column events.account_id is 'The account that the event is of; null: an event of a customer.';

comment on table feed_epoch is 'One row: which database this is. A restored copy gets another.';
comment on column feed_epoch.epoch is 'Part of the position of an event in the feed.';

comment on table requests is 'The stored answers of mutations, for repeats with the same request_id. Deleted after 30 days.';
comment on column requests.tenant_id is 'The tenant; nil for CreateTenant.';
comment on column requests.principal is 'The caller.';
comment on column requests.rpc is 'The RPC.';
comment on column requests.request_id is 'The key that the caller chose.';
comment on column requests.fingerprint is 'Hashes of the request: a repeat with another request is refused.';
comment on column requests.customer_id is 'The customer that was changed, if it was one.';
comment on column requests.answer is 'The answer as a versioned document.';
comment on column requests.created_at is 'When the call was answered.';

comment on table computed_keys is 'Which version of a computed key, such as the sort key of names, all rows have.';
comment on column computed_keys.key is 'Which keys.';
comment on column computed_keys.version is 'The version of the rule.';

comment on table derived_texts is 'To which version of its rule each text was brought that the program derives, such as the folded keys of names.';
comment on column derived_texts.name is 'Which texts.';
comment on column derived_texts.version is 'The version of the rule.';
comment on column derived_texts.derived_at is 'When all rows were first brought to this version.';
comment on column derived_texts.is_settled is 'Whether the rows need not be looked at again: no older release can have written others.';

comment on view reference_targets is 'What fields of a customer may refer to, by account and field: branches and members.';
comment on column reference_targets.tenant_id is 'The tenant.';
comment on column reference_targets.account_id is 'The account whose customers may refer to it.';
comment on column reference_targets.field is 'The field of the customer.';
comment on column reference_targets.id is 'The branch or member.';
