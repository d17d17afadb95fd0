//! Data that leaves as a whole: what is stored about one customer, for the person that it is about.

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Scope,
        exchange::{Position, SubjectDocument, SubjectKind},
    },
    error::Result,
    store::rows::{self, PAGE_BYTES, Room, Rows},
    telemetry::RowStream as _,
};

/// Memory of a document without its text.
const DOCUMENT: usize = 200;

struct Row {
    place: String,
    json: String,
    cut: bool,
}

/// `documents!("select …", arguments…)`: the documents of one kind of a customer, of a statement that has the columns `place`, which
/// orders them, and `document`; $1 is the tenant, $2 the customer, $3 the place after which they begin, $4 the most. They end with
/// the one after which they are larger together than a page; `cut` says so.
macro_rules! documents {
    ($read:tt, $of:expr, $($argument:expr),* $(,)?) => {{
        let (scope, customer, after, limit) = $of;
        sqlx::query_as!(
            Row,
            "select s.place as \"place!\", s.json as \"json!\", s.nth < s.others as \"cut!\" from (
                select p.place, p.json, row_number() over byplace as nth, count(*) over () as others,
                       sum(octet_length(p.json)) over (byplace rows unbounded preceding) - octet_length(p.json) as before
                from (
                    select d.place, d.document::text as json from ("
                + $read
                + ") d where d.place > $3 collate \"C\" order by d.place collate \"C\" limit $4
                ) p
                window byplace as (order by p.place collate \"C\")
            ) s
            where s.before < $5
            order by s.place collate \"C\"",
            scope,
            customer,
            after,
            limit,
            PAGE_BYTES,
            $($argument),*
        )
    }};
}

/// Reads the documents of one kind of a customer, those after a position. Of other accounts' private data it reads what belongs to
/// the acting account and those below it. `addresses` are the customer's, as invitations compare them.
#[expect(clippy::too_many_lines, reason = "a statement for each kind")]
pub async fn documents(
    conn: &mut PgConnection,
    scope: &Scope,
    after: &Position,
    addresses: &[String],
    limit: i64,
    room: Room,
) -> Result<Rows<SubjectDocument>> {
    let (tenant, root) = (scope.tenant().get(), scope.root().get());
    let customer: Uuid = after.customer.get();
    let of = (tenant, customer, after.place.as_str(), limit);
    let read = match after.kind {
        SubjectKind::Customer => {
            let rows = documents!(
                "select c.id::text as place, to_jsonb(c) - '{tenant_id,ancestors,owner_link_revision,owner_custom_ids,owner_tags,name_key,name_sort,name_scope,payment_method_count}'::text[] as document
                 from customers c where c.tenant_id = $1 and c.id = $2",
                of,
            )
            .fetch(conn)
            .named("exchange.customer");
            page(rows, room, after).await?
        }
        SubjectKind::Link => {
            let rows = documents!(
                "select l.account_id::text as place, jsonb_build_object(
                    'account_id', l.account_id, 'revision', l.revision, 'custom_ids', l.custom_ids, 'tags', (
                        select coalesce(jsonb_agg(t.name order by t.name_sort, t.id), '[]')
                        from customer_tags g
                        join tags t on t.tenant_id = g.tenant_id and t.id = g.tag_id
                        where g.tenant_id = $1 and g.customer_id = $2 and g.account_id = l.account_id
                    )
                 ) as document
                 from customer_links l
                 join accounts a on a.tenant_id = l.tenant_id and a.id = l.account_id
                 where l.tenant_id = $1 and l.customer_id = $2 and $6 = any(a.ancestors)",
                of,
                root,
            )
            .fetch(conn)
            .named("exchange.links");
            page(rows, room, after).await?
        }
        SubjectKind::CustomId => {
            let rows = documents!(
                "select i.account_id || '/' || i.system || '/' || i.value_key as place, jsonb_build_object(
                    'account_id', i.account_id, 'system', i.system, 'value', i.value, 'is_current', i.is_current,
                    'created_at', i.created_at
                 ) as document
                 from custom_ids i
                 join accounts a on a.tenant_id = i.tenant_id and a.id = i.account_id
                 where i.tenant_id = $1 and i.customer_id = $2 and $6 = any(a.ancestors)",
                of,
                root,
            )
            .fetch(conn)
            .named("exchange.custom_ids");
            page(rows, room, after).await?
        }
        SubjectKind::Event => {
            let seq: i64 = after.place.parse().unwrap_or(-1);
            let rows = documents!(
                "select to_char(e.seq, 'FM0000000000000000000') as place,
                        to_jsonb(e) - '{tenant_id,customer_id,epoch,xid,seq}'::text[] as document
                 from (
                    select e.* from events e
                    left join accounts a on a.tenant_id = e.tenant_id and a.id = e.audience
                    where e.tenant_id = $1 and e.customer_id = $2 and e.seq > $7
                      and (e.audience is null or $6 = any(a.ancestors))
                    order by e.seq
                    limit $4
                 ) e",
                of,
                root,
                seq,
            )
            .fetch(conn)
            .named("exchange.events");
            page(rows, room, after).await?
        }
        SubjectKind::Merge => {
            let rows = documents!(
                "select m.merge_id::text as place, jsonb_build_object(
                    'merge_id', m.merge_id, 'survivor_id', m.survivor_id, 'merged_at', m.merged_at,
                    'before', m.image -> 'row', 'after', m.after, 'custom_ids', (
                        select coalesce(jsonb_agg(k.kept), '[]')
                        from jsonb_array_elements(m.image -> 'custom_ids') as k (kept)
                        join accounts a on a.tenant_id = $1 and a.id = (k.kept ->> 'account_id')::uuid
                        where $6 = any(a.ancestors)
                    )
                 ) as document
                 from merge_images m where m.tenant_id = $1 and m.customer_id = $2",
                of,
                root,
            )
            .fetch(conn)
            .named("exchange.merges");
            page(rows, room, after).await?
        }
        SubjectKind::Invitation => {
            let rows = documents!(
                "select i.id::text as place, jsonb_build_object(
                    'invitation_id', i.id, 'account_id', i.account_id, 'email', i.email, 'role', i.role,
                    'language', i.language, 'state', i.state, 'created_at', i.created_at, 'sent_at', i.sent_at,
                    'ended_at', i.ended_at
                 ) as document
                 from invitations i
                 join accounts a on a.tenant_id = i.tenant_id and a.id = i.account_id
                 where i.tenant_id = $1 and i.email_key = any($7) and $6 = any(a.ancestors) and $2::uuid is not null",
                of,
                root,
                addresses,
            )
            .fetch(conn)
            .named("exchange.invitations");
            page(rows, room, after).await?
        }
        SubjectKind::PaymentMethod => {
            let rows = documents!(
                "select p.id::text as place, to_jsonb(p) - '{tenant_id,customer_id}'::text[] as document
                 from payment_methods p where p.tenant_id = $1 and p.customer_id = $2",
                of,
            )
            .fetch(conn)
            .named("exchange.payment_methods");
            page(rows, room, after).await?
        }
    };
    Ok(read)
}

async fn page(
    rows: impl tokio_stream::Stream<Item = sqlx::Result<Row>>,
    room: Room,
    after: &Position,
) -> Result<Rows<SubjectDocument>> {
    let mut cut = false;
    let read = rows::page(rows, room, |Row { place, json, cut: more }| {
        cut = more;
        let at = Position { place, ..after.clone() };
        Ok(Some((DOCUMENT + json.len(), SubjectDocument { at, json })))
    })
    .await?;
    Ok(Rows { full: read.full || cut, ..read })
}
