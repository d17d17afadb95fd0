//! Moves of customers to another account: what all of them share. Blockers are reported all together under
//! `validate_only`, else the first one is the error.

use std::collections::HashMap;

use sqlx::PgConnection;

use super::{BatchItem, CustomerDetails, Customers, plans::Settled};
use crate::{
    domain::{
        access::caller::Caller,
        customers::customer::{Customer, Stamp},
        fields::references::References,
        history::event::Changes,
        refusal::{Blocker, Refusal},
        requests::options::Options,
        values::{
            enums::NameUniqueness,
            ids::{AccountId, CustomerId, EventId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
    service::clock,
    store::{
        self,
        customers::ownership::{Move, Taken},
    },
};

/// A customer that cannot be moved, with one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blocked {
    /// The customer.
    pub customer: CustomerId,
    /// The field of the request that names it; none in a call on one customer.
    pub at: Option<String>,
    /// The reason.
    pub blocker: Blocker,
    /// The customer that has what is taken, if the caller sees it.
    pub by: Option<CustomerId>,
}

impl Blocked {
    fn error(self) -> Error {
        let Self { at, blocker, by, .. } = self;
        match blocker {
            Blocker::NameTaken | Blocker::OrderReferenceTaken => Error::TakenThere { blocker, at, by },
            _ => Error::Refused { refusal: Refusal::Blocked(blocker), at },
        }
    }
}

/// Blocked customers, in the request's order.
#[derive(Debug, Default)]
pub(super) struct Blockers(Vec<Blocked>);

impl Blockers {
    pub(super) fn add(
        &mut self,
        customer: CustomerId,
        item: Option<&BatchItem>,
        blockers: impl IntoIterator<Item = Blocker>,
    ) {
        for blocker in blockers {
            self.0.push(Blocked { customer, at: item.map(BatchItem::field), blocker, by: None });
        }
    }

    fn add_taken(&mut self, customer: CustomerId, item: Option<&BatchItem>, blocker: Blocker, taken: Option<Taken>) {
        let at = item.map(BatchItem::field);
        self.0.extend(taken.map(|Taken { by }| Blocked { customer, at, blocker, by }));
    }

    /// The same in the order in which a request names the customers.
    pub(super) fn in_order_of(mut self, batch: &[BatchItem]) -> Self {
        let indexes: HashMap<CustomerId, usize> = batch.iter().map(|item| (item.id, item.index)).collect();
        self.0.sort_by_key(|blocked| indexes.get(&blocked.customer));
        self
    }

    /// Every blocked customer under `validate_only`; none: nothing is blocked.
    ///
    /// # Errors
    /// The first blocked customer, of a call that is not only validated.
    pub(super) fn report(self, options: &Options) -> Result<Option<Vec<Blocked>>> {
        match self.0.into_iter() {
            mut blocked if !options.validate_only => blocked.next().map_or(Ok(None), |first| Err(first.error())),
            blocked if blocked.len() == 0 => Ok(None),
            blocked => Ok(Some(blocked.collect())),
        }
    }
}

/// Adds the customers whose name or order reference another customer has in the account that they go to, or one that
/// goes there with them.
pub(super) async fn add_conflicts(
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
    let conflicts = store::customers::ownership::find_conflicts(conn, caller.scope(), to, rule, &customers).await?;
    let conflicts: HashMap<CustomerId, _> =
        conflicts.into_iter().map(|conflict| (conflict.customer, conflict)).collect();
    let (mut names, mut orders) = (HashMap::new(), HashMap::new());
    for (item, customer) in moving {
        let conflict = conflicts.get(&customer.id);
        let fields = &customer.fields;
        // Names that are unique in the whole tenant have no twin in the batch.
        let same_name =
            (rule == NameUniqueness::Account).then(|| names.insert(fields.name.key().as_str(), customer.id)).flatten();
        let same_order = fields.order_reference.as_ref().and_then(|order| orders.insert(order.as_str(), customer.id));
        // Another one of the batch is seen: the caller named it.
        let twin = |twin: Option<CustomerId>| twin.map(|_| Taken { by: twin });
        let name = conflict.and_then(|conflict| conflict.name).or(twin(same_name));
        let order = conflict.and_then(|conflict| conflict.order_reference).or(twin(same_order));
        blockers.add_taken(customer.id, item.as_ref(), Blocker::NameTaken, name);
        blockers.add_taken(customer.id, item.as_ref(), Blocker::OrderReferenceTaken, order);
    }
    Ok(())
}

/// The move of a customer, with its event.
pub(super) fn moved(caller: &Caller, settled: Settled, at: Timestamp) -> Move {
    let Settled { before, mut after, uses } = settled;
    after.revision += 1;
    after.updated = Stamp { at, by: caller.author().principal.clone() };
    let changes = Changes::of_move(&before, &after);
    Move { after, event: EventId::from_uuid(clock::new_id()), changes, uses }
}

/// What it means if a move breaks the key of a name or an order reference: another call wrote it after this one looked
/// for conflicts. The next try finds it.
pub(super) fn conflict_is_lost_race(failure: Error) -> Error {
    match failure.broken_key() {
        Some("customers_name_key" | "customers_order_reference_key") => Error::LostRace,
        _ => failure,
    }
}

impl Customers {
    /// The customer as this transaction left it.
    pub(super) async fn details_in_transaction(
        &self,
        conn: &mut PgConnection,
        caller: &Caller,
        id: CustomerId,
        options: &Options,
    ) -> Result<CustomerDetails> {
        let loaded = store::customers::load(conn, caller, id, None, (&References::default(), None)).await?;
        self.mutated_details(caller, options, loaded.seen)
    }
}
