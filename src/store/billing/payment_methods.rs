//! The payment methods of customers. The customer's row says how many there are and which is the default, and its revision
//! changes with them.

use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Caller,
        billing::{
            payment_method::{Expiry, LastFour, PaymentChannel, PaymentMethod, PaymentMethodType},
            payment_summary::PaymentSummary,
        },
        customers::customer::{Customer, Stamp},
        history::{event::Changes, event_type::EventType},
        refusal::Refusal,
        requests::{answer::Answer, principal::Principal},
        values::{
            ids::{CustomerId, PaymentMethodId},
            text::Text,
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    store::{
        customers::CustomerRecord,
        mutation::mutation,
        path,
        rows::Room,
        sql::sql,
        write::{NewAnswer, NewEvent, Write},
    },
    telemetry::Statement as _,
};

/// Memory of one payment method at most.
const COST: usize = 2 * 1024;

/// A row of the table.
#[derive(Debug, Serialize, Deserialize)]
struct Stored {
    id: Uuid,
    r#type: String,
    provider: Option<String>,
    token: Option<String>,
    brand: Option<String>,
    last_four: Option<String>,
    expiry_month: Option<i16>,
    expiry_year: Option<i16>,
    channel: String,
    created_at: Timestamp,
    created_by: Principal,
}

impl From<&PaymentMethod> for Stored {
    fn from(method: &PaymentMethod) -> Self {
        let text = |text: Option<&str>| text.map(ToOwned::to_owned);
        Self {
            id: method.id.get(),
            r#type: method.kind.as_str().to_owned(),
            provider: text(method.provider.as_ref().map(Text::as_str)),
            token: text(method.token.as_ref().map(Text::as_str)),
            brand: text(method.brand.as_ref().map(Text::as_str)),
            last_four: text(method.last_four.as_ref().map(LastFour::as_str)),
            expiry_month: method.expiry.map(|expiry| expiry.month),
            expiry_year: method.expiry.map(|expiry| expiry.year),
            channel: method.channel.as_str().to_owned(),
            created_at: method.created.at,
            created_by: method.created.by.clone(),
        }
    }
}

impl From<Stored> for PaymentMethod {
    fn from(stored: Stored) -> Self {
        Self {
            id: PaymentMethodId::from_uuid(stored.id),
            kind: PaymentMethodType::stored(&stored.r#type),
            provider: stored.provider.map(Text::stored),
            token: stored.token.map(Text::stored),
            brand: stored.brand.map(Text::stored),
            last_four: stored.last_four.map(LastFour::stored),
            expiry: stored.expiry_month.zip(stored.expiry_year).map(|(month, year)| Expiry { month, year }),
            channel: PaymentChannel::stored(&stored.channel),
            created: Stamp { at: stored.created_at, by: stored.created_by },
            unknown: Default::default(),
        }
    }
}

/// Reads a customer's payment methods, oldest first, and which is the default.
///
/// # Errors
/// `CustomerNotFound`; `FleetOwnedElsewhere` for an account below the owner.
pub async fn list(
    conn: &mut PgConnection,
    caller: &Caller,
    customer: CustomerId,
    room: Room,
) -> Result<(PaymentSummary, Vec<PaymentMethod>)> {
    let scope = caller.scope();
    if !scope.admits(customer) {
        return Err(Error::CustomerNotFound { at: None });
    }
    let row = sql!(
        query,
        r#"
        select $3 = any(c.ancestors) as "ours!", c.default_payment_method_id, c.payment_method_count,
               case when $3 = any(c.ancestors) then (
                   select jsonb_agg(to_jsonb(m) order by m.id) from payment_methods m
                   where m.tenant_id = $1 and m.customer_id = c.id
               ) end as "methods: Json<Vec<Stored>>"
        from customers c
        where c.tenant_id = $1 and c.id = $2 and "# VISIBLE,
        scope.tenant().get(),
        customer.get(),
        scope.root().get(),
        path(scope) as _,
    )
    .fetch_optional(conn)
    .named("payment_methods.list")
    .await?
    .ok_or(Error::CustomerNotFound { at: None })?;
    if !row.ours {
        return Err(Refusal::FleetOwnedElsewhere.into());
    }
    let methods = row.methods.map(|methods| methods.0).unwrap_or_default();
    room(methods.len() * COST)?;
    let default = row.default_payment_method_id.map(PaymentMethodId::from_uuid);
    let count = usize::try_from(row.payment_method_count).unwrap_or_default();
    Ok((PaymentSummary { default, count }, methods.into_iter().map(PaymentMethod::from).collect()))
}

/// Reads one payment method of a customer that the caller was found to own or to be above.
pub async fn find(
    conn: &mut PgConnection,
    caller: &Caller,
    customer: CustomerId,
    id: PaymentMethodId,
) -> Result<Option<PaymentMethod>> {
    let found = sqlx::query_scalar!(
        r#"
        select to_jsonb(m) as "method!: Json<Stored>" from payment_methods m
        where m.tenant_id = $1 and m.customer_id = $2 and m.id = $3
        "#,
        caller.scope().tenant().get(),
        customer.get(),
        id.get(),
    )
    .fetch_optional(conn)
    .named("payment_methods.find")
    .await?;
    Ok(found.map(|method| method.0.into()))
}

/// The rows that a change writes: at most one of them is given.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rows<'a> {
    /// The payment method that is removed.
    pub removed: Option<&'a PaymentMethod>,
    /// The payment method that is added.
    pub added: Option<&'a PaymentMethod>,
}

/// Writes the change of a customer's payment methods, its event and the stored answer, unless the customer has changed since it
/// was read. Returns whether it wrote them. `after.revision` must be one more than the revision that was read.
///
/// # Errors
/// A broken unique key, unmapped: the caller knows whether to look for a stored answer first.
pub async fn save(
    conn: &mut PgConnection,
    caller: &Caller,
    before: &CustomerRecord,
    after: &Customer,
    (happened, rows): (EventType, Rows<'_>),
    answer: &Answer,
    write: Write<'_>,
) -> Result<bool> {
    let id = after.id;
    let event = NewEvent {
        customer_id: Some(id),
        revision: Some(after.revision),
        ..write.event(happened.as_str(), Changes::of_payment(&before.customer, after, (rows.removed, rows.added)))
    };
    let answer = write.stored_answer(answer)?.map(|answer| NewAnswer { customer_id: Some(id), ..answer });
    let count = i16::try_from(after.payment.count).map_err(Error::internal)?;
    let saved = mutation!(
        write.recorded(caller.scope().tenant(), &[event], answer.as_slice()),
        "with written as (
            update customers set
                revision = revision + 1, default_payment_method_id = $15, payment_method_count = $16, updated_at = $9,
                updated_by = $17
            where tenant_id = $1 and id = $12 and revision = $13 and owner_link_revision = $14
            returning id
        ), added as (
            insert into payment_methods (
                tenant_id, customer_id, id, type, provider, token, brand, last_four, expiry_month, expiry_year, channel,
                created_at, created_by
            )
            select $1, w.id, m.id, m.type, m.provider, m.token, m.brand, m.last_four, m.expiry_month, m.expiry_year,
                   m.channel, m.created_at, m.created_by
            from written w cross join jsonb_populate_record(null::payment_methods, $18) as m
            where $18::jsonb is not null
        ), removed as (
            delete from payment_methods m using written w
            where m.tenant_id = $1 and m.customer_id = w.id and m.id = $19
        )" RECORDED,
        id.get(),
        before.customer.revision,
        before.owner_link_revision,
        after.payment.default.map(PaymentMethodId::get),
        count,
        Json(&after.updated.by) as _,
        rows.added.map(|method| Json(Stored::from(method))) as _,
        rows.removed.map(|method| method.id.get()),
    )
    .fetch_one(conn)
    .named("payment_methods.save")
    .await?;
    Ok(saved.written == 1)
}
