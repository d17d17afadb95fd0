//! Statements made of pieces: what several statements share is written once, here, and `query!` still checks each whole
//! statement against the schema.

/// A checked statement: `sql!(query_scalar, "select … where " VISIBLE, arguments…)`. The first word is the macro of sqlx
/// that checks the text, `query_as` with its type (`query_as Row`). The text is literals and pieces, one after the other.
/// `sql!(text, …)` is the text alone, for the one statement that is built at run time. The pieces, and what each expects of the statement around it:
///
/// * `VISIBLE`: whether the acting account sees the customer `c`. $3 is the acting account, $4 its path.
/// * `RECORD`: `select` and the columns of [`Row`](super::customers::row::Row) up to the acting account's link, read from
///   `customers c`. $3 is the acting account. The link is in the row itself if the acting account owns the customer;
///   only otherwise is it looked up. `HEAD`, `GONE_SALES_PERSON` and `LINK` are parts of it.
/// * `SIZED_IN_VIEW`: a select of how many bytes of a customer are read in a view that leaves out the fields $5 of the profile, as
///   `size`, and of the `profile` in that view, if it is small enough to be kept until the page is cut. It ends before its `where`.
/// * `RECORD_IN_VIEW`: the columns of `RECORD` in that view, where `f` has such a profile. Without the holds if fields are left out.
/// * `RECORD_OF_BATCH`: the same columns without what no batch decides by: of the holds the first, of the link its revision.
/// * `OWNERS_POLICIES`, or `OTHER_OWNERS_POLICIES` for a caller that knows its own: the policies of the owner of `c`.
/// * `READ_ONLY`: the last columns of `Row`, which a read leaves empty: they are what a command decides by, and whether a
///   read was cut.
/// * `SCALARS`: the columns of `customers` that are read and written under their own name. A new one belongs here.
/// * `CREATED_COLUMNS`: the columns that a creation writes, without the customer's place in the tree.
/// * Those about billing: see [`billing_piece!`](super::sql_billing::billing_piece); about searches, [`search_piece!`](super::sql_search::search_piece);
///   of one customer, [`one_piece!`](super::sql_one::one_piece); about access, [`access_piece!`](super::sql_access::access_piece).
/// * `RECORDED`: the end of a mutation, see [`mutation!`](super::mutation::mutation). `HAPPENED` and `EVENTS_AND_ANSWERS` are its two parts.
macro_rules! sql {
    (@ $call:tt [$($text:tt)*] VISIBLE $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            "($3 = any(c.ancestors) or (c.reach = 'FLEET' and c.account_id = any($4)))"
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] SCALARS $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            "type, service_class, reach, name, status, status_reason, archived_at, branch_id, sales_person_id, origin,
             order_reference, merged_into"
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] CREATED_COLUMNS $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            "id, revision, owner_link_revision, owner_custom_ids, name_key, name_sort, name_scope, profile, created_at,
             updated_at, created_by, updated_by, rate_plan_id, billing, " SCALARS
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] HEAD $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            "select c.id, c.account_id, c.ancestors, c.revision, c.owner_link_revision, " SCALARS r#",
                   c.default_payment_method_id, c.payment_method_count,
                   c.migration as "migration: row::Migration", c.created_at, c.updated_at,
                   c.created_by as "created_by: row::Principal", c.updated_by as "updated_by: row::Principal",
            "#
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] GONE_SALES_PERSON $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            "case when c.sales_person_id is not null and not exists (
                select from members m where m.tenant_id = c.tenant_id and m.member_id = c.sales_person_id
            ) then c.sales_person_id end as gone_sales_person_id, "
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] LINK $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            r#"
                   c.owner_custom_ids as "owner_ids!: row::CustomIds",
                   case when c.account_id = $3 and c.owner_tags <> '{}' then (
                       select jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name_sort, t.id)
                       from tags t where t.tenant_id = c.tenant_id and t.id = any(c.owner_tags)
                   ) end as "owner_tags: row::Tags",
                   case when c.account_id <> $3 then (
                       select jsonb_build_object('revision', l.revision, 'custom_ids', l.custom_ids, 'tags', (
                           select coalesce(
                               jsonb_agg(jsonb_build_object('id', t.id, 'name', t.name) order by t.name_sort, t.id), '[]'
                           )
                           from tags t where t.tenant_id = l.tenant_id and t.id = any(l.tags)
                       ))
                       from customer_links l
                       where l.tenant_id = c.tenant_id and l.customer_id = c.id and l.account_id = $3
                   ) end as "link: row::Link"
            "#
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] RECORD $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            HEAD GONE_SALES_PERSON r#"c.profile as "profile!: row::Profile", c.holds as "holds!: row::Holds", "# BILLED LINK
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] RECORD_IN_VIEW $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            HEAD GONE_SALES_PERSON r#"
                   coalesce(f.profile, c.profile - $5::text[]) as "profile!: row::Profile",
                   case when $5::text[] = '{}' then c.holds else '[]' end as "holds!: row::Holds",
            "# BILLED_IN_VIEW LINK
            $($rest)*
        )
    };
    // Taking nothing out of a document reads it uncompressed: its own size is what it has on disk.
    // To read a profile uncompressed and to take fields out of it is most of what a row of a page costs, so it is done once.
    (@ $call:tt [$($text:tt)*] SIZED_IN_VIEW $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            "select 1000 + pg_column_size(d.profile) + pg_column_size(c.owner_custom_ids - '{}'::text[])
                    + case when $5::text[] = '{}' then pg_column_size(c.holds - '{}'::text[]) + pg_column_size(c.billing - '{}'::text[])
                           else 0 end
                    + 200 * cardinality(c.owner_tags) as size,
                    case when pg_column_size(d.profile) <= 8192 then d.profile end as profile
             from customers c cross join lateral (select c.profile - $5::text[] as profile offset 0) d"
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] RECORD_OF_BATCH $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            HEAD GONE_SALES_PERSON BILLED_OF_BATCH r#"
                   '{}'::jsonb as "profile!: row::Profile",
                   case when c.holds = '[]' then '[]' else jsonb_build_array(c.holds -> 0) end as "holds!: row::Holds",
                   '{}'::jsonb as "owner_ids!: row::CustomIds", null::jsonb as "owner_tags: row::Tags",
                   case when c.account_id <> $3 then (
                       select jsonb_build_object('revision', l.revision, 'custom_ids', '{}'::jsonb)
                       from customer_links l
                       where l.tenant_id = c.tenant_id and l.customer_id = c.id and l.account_id = $3
                   ) end as "link: row::Link",
                   null::jsonb as "policies: row::Policies"
            "#
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] OWNERS_POLICIES $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            r#"
            , (select a.policies from accounts a where a.tenant_id = c.tenant_id and a.id = c.account_id)
              as "policies: row::Policies"
            "#
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] OTHER_OWNERS_POLICIES $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            r#"
            , case when c.account_id <> $3 then (
                  select a.policies from accounts a where a.tenant_id = c.tenant_id and a.id = c.account_id
              ) end as "policies: row::Policies"
            "#
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] READ_ONLY $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            r#"
            , null::bytea as "fingerprint?", null::jsonb as "answer?", null::text[] as "foreign?", null::jsonb as "asked: row::Asked",
              false as "cut!"
            "#
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] RECORDED $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            HAPPENED EVENTS_AND_ANSWERS r#" select count(*) as "written!" from written"#
            $($rest)*
        )
    };
    (@ $call:tt [$($text:tt)*] HAPPENED $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            ", happened as (
                select e.ordinality as place, e.id, e.type, e.customer_id, e.revision, e.audience, e.account_id,
                       e.member_id, e.request_id, e.changes
                from rows from (jsonb_to_recordset($10) as (
                    id uuid, type text, customer_id uuid, revision bigint, audience uuid, account_id uuid, member_id uuid,
                    request_id uuid, changes jsonb
                )) with ordinality as e
            )"
            $($rest)*
        )
    };
    // Counting all of `written` makes the first `seq` wait until every record is locked and written. No join with it: the
    // planner cannot know how many rows it has, and would take a nested loop for a thousand.
    (@ $call:tt [$($text:tt)*] EVENTS_AND_ANSWERS $($rest:tt)*) => {
        $crate::store::sql::sql!(
            @ $call [$($text)*]
            ", event as (
                insert into events (
                    tenant_id, id, epoch, xid, seq, at, type, customer_id, revision, audience, issuer, subject, actors,
                    acting_account_id, account_id, member_id, rpc, request_id, trace_id, workload, changes
                )
                select $1, h.id, (select epoch from feed_epoch), pg_current_xact_id(), nextval('events_seq'), $9, h.type,
                       h.customer_id, h.revision, h.audience, $2, $3, $4, $5, h.account_id, h.member_id, $6, h.request_id,
                       $7, $8, h.changes
                from happened h
                where (select count(*) from written) > 0
                order by h.place
            ), answer as (
                insert into requests (
                    tenant_id, principal, rpc, request_id, fingerprint, customer_id, answer, created_at
                )
                select coalesce(a.tenant_id, $1), $2 || ' ' || $3, $6, a.request_id, decode(a.fingerprint, 'hex'),
                       a.customer_id, a.answer, $9
                from jsonb_to_recordset($11) as a (
                    tenant_id uuid, request_id uuid, fingerprint text, customer_id uuid, answer jsonb
                )
                where exists (select from written)
            )"
            $($rest)*
        )
    };
    // The text has ended.
    (@ [text] [$($text:tt)+]) => {
        concat!($($text),+)
    };
    (@ [mutation $recorded:expr] [$first:tt $($text:tt)*] , $($argument:tt)*) => {
        match &$recorded { recorded => sqlx::query!(
            $first $(+ $text)*,
            recorded.tenant.get(),
            recorded.author.principal.issuer(),
            recorded.author.principal.subject(),
            sqlx::types::Json(&recorded.author.actors) as _,
            recorded.acting.map($crate::domain::values::ids::AccountId::get),
            recorded.author.rpc.name(),
            recorded.author.trace_id,
            recorded.author.workload(),
            recorded.at,
            // Written into the message itself: a tree of values first costs more than the rest.
            sqlx::types::Json(recorded.events) as _,
            sqlx::types::Json(recorded.answers) as _,
            $($argument)*
        ) }
    };
    (@ [$macro:ident $($type:ident)?] [$first:tt $($text:tt)*] , $($argument:tt)*) => {
        sqlx::$macro!($($type,)? $first $(+ $text)*, $($argument)*)
    };
    (@ $call:tt [$($text:tt)*] $piece:ident $($rest:tt)*) => {
        $crate::store::sql_billing::billing_piece!([$crate::store::sql::sql] @ $call [$($text)*] $piece $($rest)*)
    };
    (@ $call:tt [$($text:tt)*] $literal:tt $($rest:tt)*) => {
        $crate::store::sql::sql!(@ $call [$($text)* $literal] $($rest)*)
    };
    ($macro:ident $($type:ident)?, $($rest:tt)+) => {
        $crate::store::sql::sql!(@ [$macro $($type)?] [] $($rest)+)
    };
}

pub(in crate::store) use sql;
