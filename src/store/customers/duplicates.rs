//! The look-up of customers by what they have in common with another one.
//!
//! Rule: a look-up is one statement, and what it reads has a limit of its own at each step, whatever the planner knows: rows of one
//! key, candidates, customers and bytes.

use sqlx::PgConnection;

use super::{
    CustomerRecord,
    row::{self, Row},
};
use crate::{
    domain::{
        access::caller::Caller,
        duplicates::{FLEET, Traits},
        fields::field::View,
        values::ids::CustomerId,
    },
    error::Result,
    store::{
        path,
        rows::{self, PAGE_BYTES, Room},
        sql::sql,
    },
    telemetry::RowStream as _,
};

/// Customers of one key that are looked at: the oldest. One more than are reported, because one can be the customer itself.
const OF_A_KEY: i64 = 21;
/// Candidates that are looked at, those with the most in common first. Some may be of no use: they have left the caller's sight, or an
/// older release changed them.
const CANDIDATES: i64 = 60;
/// Statuses of customers that are no more, of which later releases will make some.
const GONE: [&str; 2] = ["MERGED", "ERASED"];
/// Customers that are read: twice as many as are reported, because the order in which they are read is only near to that of their scores.
const READ: i64 = 40;
/// The field that no reason depends on and that the view BASIC leaves out, but for contacts: these are compared.
const CONTACTS: &str = "contacts";

/// Customers that the caller sees and that may have something in common with these traits: candidates, those with the most in common
/// first. `except` is left out.
pub async fn find_duplicates(
    conn: &mut PgConnection,
    caller: &Caller,
    traits: &Traits,
    except: Option<CustomerId>,
    room: Room,
) -> Result<Vec<CustomerRecord>> {
    let scope = caller.scope();
    let mut left_out = View::Basic.left_out();
    left_out.retain(|field| field != CONTACTS);
    let asked = if scope.narrowed().is_some() { Vec::new() } else { traits.asked() };
    let (mut accounts, mut keys, mut reasons, mut points) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (place, account) in scope.path().ids().iter().enumerate() {
        // Accounts above show what they share.
        let mark = if place == 0 { 0 } else { FLEET };
        for asked in &asked {
            accounts.push(account.get());
            keys.push(asked.key | mark);
            reasons.push(asked.reason as i32);
            points.push(asked.reason.points());
        }
    }
    let rows = sql!(
        query_as Row,
        "with found as materialized (
            select d.tenant_id, d.customer_id, k.reason, max(k.points) as points, bool_or(d.rare) as rare
            from unnest($6::uuid[], $7::bigint[], $8::integer[], $9::integer[]) as k (account_id, key, reason, points)
            cross join lateral (
                select l.tenant_id, l.customer_id, count(*) over () < $10 as rare
                from (
                    select d.tenant_id, d.customer_id from duplicate_keys d
                    where d.tenant_id = $1 and d.account_id = k.account_id and d.key = k.key
                    order by d.customer_id
                    limit $10
                ) l
            ) d
            group by d.tenant_id, d.customer_id, k.reason
        ), best as materialized (
            (
                -- Of a value that many have only the first are read, so a customer with a rare value may have more in common.
                select f.tenant_id, f.customer_id, sum(f.points) as points, bool_or(f.rare) as rare
                from found f
                where f.customer_id is distinct from $11
                group by f.tenant_id, f.customer_id
                order by rare desc, points desc, f.customer_id
                limit $12
            )
            union all
            -- A call that is narrowed to one customer compares that one.
            select $1::uuid as tenant_id, $2, 0, true where $2::uuid is not null and $2 is distinct from $11
        ), page as materialized (
            select p.tenant_id, p.id, p.profile, p.nth, sum(p.size) over (order by p.nth rows unbounded preceding) as size
            from (
                select b.tenant_id, b.customer_id as id, s.profile, s.size,
                       row_number() over (order by b.rare desc, b.points desc, b.customer_id) as nth
                from best b
                cross join lateral (
                    -- The tenant comes from the rows: of a parameter, statistics older than the tenant say that it has no customers, and
                    -- any index with the tenant is as good as the key.
                    " SIZED_IN_VIEW "
                    where c.tenant_id = b.tenant_id and c.id = b.customer_id and c.status <> all($13) and " VISIBLE "
                    offset 0
                ) s
                order by b.rare desc, b.points desc, b.customer_id
                limit $14
            ) p
        )" RECORD_IN_VIEW OTHER_OWNERS_POLICIES READ_ONLY "
        from page f
        cross join lateral (
            select c.* from customers c where c.tenant_id = f.tenant_id and c.id = f.id offset 0
        ) c
        where f.size <= $15 or f.nth = 1
        order by f.nth",
        scope.tenant().get(),
        scope.narrowed().map(CustomerId::get),
        scope.root().get(),
        path(scope) as _,
        &left_out,
        &accounts,
        &keys,
        &reasons,
        &points,
        OF_A_KEY,
        except.map(CustomerId::get),
        CANDIDATES,
        &GONE.map(str::to_owned)[..],
        READ,
        PAGE_BYTES,
    )
    .fetch(conn)
    .named("customers.find_duplicates");
    rows::all(rows, room, |row: Row| Ok((row.cost(), row.seen(caller)?))).await
}
