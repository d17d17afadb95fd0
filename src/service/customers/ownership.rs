//! What the moves of customers to another account have in common: what blocks them, told all at once or as the first error,
//! and how they are written.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::{BatchItem, CustomerDetails, Customers};
use crate::{
    domain::{
        access::caller::Caller,
        customers::customer::{Customer, Stamp},
        history::event::Changes,
        refusal::{Blocker, Refusal},
        requests::{answer::Answer, options::Options},
        values::{
            enums::NameUniqueness,
            ids::{AccountId, CustomerId, EventId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    service::{
        clock,
        mutation::{retrying, settle},
    },
    store::{self, customers::ownership::Move},
};

/// One thing that keeps one customer where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// Which customer.
    pub customer: CustomerId,
    /// Its place in the request, as errors tell it; none of a call on one customer.
    pub at: Option<String>,
    /// What it is.
    pub blocker: Blocker,
}

impl Blocked {
    fn error(self) -> Error {
        Error::Refused { refusal: Refusal::Blocked(self.blocker), at: self.at }
    }
}

/// What blocks customers, in the request's order.
#[derive(Debug, Default)]
pub(super) struct Blockers(Vec<Blocked>);

impl Blockers {
    pub(super) fn note(
        &mut self,
        customer: CustomerId,
        named: Option<&BatchItem>,
        found: impl IntoIterator<Item = Blocker>,
    ) {
        self.0.extend(found.into_iter().map(|blocker| Blocked { customer, at: named.map(BatchItem::at), blocker }));
    }

    /// The same in the order in which a request names the customers.
    pub(super) fn in_order_of(mut self, batch: &[BatchItem]) -> Self {
        let places: HashMap<CustomerId, usize> = batch.iter().map(|named| (named.id, named.place)).collect();
        self.0.sort_by_key(|blocked| places.get(&blocked.customer));
        self
    }

    /// Who only wants to know is told everything; the first one ends any other call. Nothing: nothing blocks.
    pub(super) fn told(self, options: &Options) -> Result<Option<Vec<Blocked>>> {
        match self.0.into_iter() {
            mut blockers if !options.validate_only => blockers.next().map_or(Ok(None), |first| Err(first.error())),
            blockers if blockers.len() == 0 => Ok(None),
            blockers => Ok(Some(blockers.collect())),
        }
    }
}

/// Notes which of these customers have a name or an order reference that another one has where they go, or one that goes
/// there with them.
pub(super) async fn note_clashes(
    conn: &mut PgConnection,
    caller: &Caller,
    to: AccountId,
    rule: NameUniqueness,
    moving: &[(Option<BatchItem>, &Customer)],
    blockers: &mut Blockers,
) -> Result<()> {
    if moving.is_empty() {
        return Ok(());
    }
    let customers: Vec<&Customer> = moving.iter().map(|(_, customer)| *customer).collect();
    let there = store::customers::ownership::find_conflicts(conn, caller.scope(), to, rule, &customers).await?;
    let there: HashMap<CustomerId, _> = there.into_iter().map(|clash| (clash.customer, clash)).collect();
    let (mut names, mut orders) = (HashMap::new(), HashMap::new());
    for (named, customer) in moving {
        let clash = there.get(&customer.id);
        let fields = &customer.fields;
        // Names that are unique in the whole tenant are so already.
        let twin = rule == NameUniqueness::Account && names.insert(fields.name.key().as_str(), customer.id).is_some();
        let order = fields.order_reference.as_ref().map(crate::domain::values::text::Text::as_str);
        let same_order = order.is_some_and(|order| orders.insert(order, customer.id).is_some());
        let found = [
            (twin || clash.is_some_and(|clash| clash.name), Blocker::NameTaken),
            (same_order || clash.is_some_and(|clash| clash.order_reference), Blocker::OrderReferenceTaken),
        ];
        let found = found.into_iter().filter_map(|(there, blocker)| there.then_some(blocker));
        blockers.note(customer.id, named.as_ref(), found);
    }
    Ok(())
}

/// A customer as it will be, and its event.
pub(super) fn moved(caller: &Caller, before: &Customer, mut after: Customer, at: Timestamp) -> Move {
    after.revision += 1;
    after.updated = Stamp { at, by: caller.author().principal.clone() };
    let changes = Changes::of_move(before, &after);
    Move { after, event: EventId::from_uuid(clock::new_id()), changes }
}

/// Moves again where a customer of the same name was written between the look and the move: the next look finds it.
pub(super) async fn retrying_clashes<T, F: Future<Output = Result<T>>>(once: impl Fn() -> F) -> Result<T> {
    let clashed =
        |error: &Error| matches!(error.broken_key(), Some("customers_name_key" | "customers_order_reference_key"));
    match retrying(&once).await {
        Err(error) if clashed(&error) => match retrying(&once).await {
            Err(error) if clashed(&error) => Err(Error::Contended),
            done => done,
        },
        done => done,
    }
}

impl Customers {
    /// What a failed move's own first call came to, if it was a repeat that met it.
    pub(super) async fn first_answer(&self, caller: &Caller, options: &Options, failure: Error) -> Result<Answer> {
        let settles = failure.broken_key().is_some()
            || failure.is_retriable()
            || failure.is_lock_timeout()
            || matches!(failure, Error::Unavailable { .. });
        if !settles {
            return Err(failure);
        }
        settle(&self.pool, caller.scope().tenant(), caller.author(), options.request.as_ref(), failure).await
    }

    /// The customer as this transaction left it, or as it is where nothing was written; none of it is stored yet.
    pub(super) async fn as_it_is(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        id: CustomerId,
        options: &Options,
    ) -> Result<CustomerDetails> {
        let loaded = store::customers::load(conn, caller, id, None, None, None).await?;
        self.fresh(caller, options, loaded.seen).map(|outcome| outcome.value)
    }
}
