//! Merges and their undoing: what the customers have active, and their credit.

use sqlx::PgConnection;

use super::merge_parts::{BlockedMerge, field, of_the_survivor};
use crate::{
    domain::{
        access::caller::Caller,
        billing::{
            customer_billing::Billing,
            feature::FeatureCode,
            merge::{may_come_back, undo, unite},
            relied::UseChange,
            terms::Terms,
        },
        customers::{customer::Customer, merge_blocker::UndoBlocker},
        fields::{customer_fields::CustomerFields, references::References},
        values::ids::CustomerId,
    },
    error::{Error, Result},
    store::{
        self,
        customers::{
            CustomerRecord,
            family::Relative,
            merge::{billing as stored, images::Image},
        },
    },
};

/// What the survivor has after the merge.
pub(super) struct United {
    billing: Billing,
    uses: UseChange,
}

/// Unites what the customers have. All of it is held as it was read.
pub(super) async fn united(
    conn: &mut PgConnection,
    caller: &Caller,
    survivor: &CustomerRecord,
    fields: &CustomerFields,
    others: &[CustomerRecord],
) -> Result<(United, Vec<BlockedMerge>)> {
    let all = std::iter::once(survivor).chain(others);
    let codes: Vec<FeatureCode> = all.flat_map(|one| one.customer.billing.features.keys().cloned()).collect();
    let mut terms = survivor.terms.clone();
    if !codes.is_empty() {
        terms.add(stored::hold_terms(conn, caller.scope(), terms.plan_id(), &codes).await?);
    }
    let after = Customer { fields: fields.clone(), ..survivor.customer.clone() };
    let theirs: Vec<(&Customer, &Terms)> = others.iter().map(|other| (&other.customer, &other.terms)).collect();
    let (billing, blockers) = unite(&after, &theirs, &terms);
    let blocked = blockers.into_iter().map(|(place, blocker)| match place {
        Some(place) => BlockedMerge { customer: others[place].customer.id, at: field(place), blocker },
        None => of_the_survivor(survivor.customer.id, blocker),
    });
    // Of the service class that it still has: its fields are written later, and their keys with them.
    let with = Customer { billing: billing.clone(), ..survivor.customer.clone() };
    Ok((United { uses: UseChange::of(&survivor.customer, &with, &terms), billing }, blocked.collect()))
}

impl United {
    /// Gives it to the survivor.
    pub(super) async fn give(self, conn: &mut PgConnection, caller: &Caller, survivor: &CustomerRecord) -> Result<()> {
        if self.billing == survivor.customer.billing {
            return Ok(());
        }
        stored::give(conn, caller.scope(), survivor.customer.id, &self.billing, &self.uses).await
    }
}

/// What the one that stayed has without the merge, and the paths that were changed after it. `now` is that one, `image` what it was.
pub(super) fn without_merge(now: &Customer, image: &Image) -> Result<(Billing, Vec<String>)> {
    let after = image.after_billing.as_ref().ok_or_else(|| Error::internal("a merge without an image"))?;
    Ok(undo(&now.billing, &image.billing, after))
}

/// Why what the others had active may not come back. It is held as it was read.
pub(super) async fn obstacle(
    conn: &mut PgConnection,
    caller: &Caller,
    others: &[(Image, Relative)],
) -> Result<Option<UndoBlocker>> {
    for (image, _) in others.iter().filter(|(image, _)| !image.billing.features.is_empty()) {
        let CustomerRecord { customer, mut terms, .. } = load(conn, caller, image.customer).await?;
        let codes: Vec<FeatureCode> = image.billing.features.keys().cloned().collect();
        terms.add(stored::hold_terms(conn, caller.scope(), terms.plan_id(), &codes).await?);
        let back = Customer { billing: image.billing.clone(), ..customer };
        if !may_come_back(&back, &terms) {
            return Ok(Some(UndoBlocker::Features));
        }
    }
    Ok(None)
}

/// Gives the one that stayed, as it is now, and the others what they had.
pub(super) async fn give_back(
    conn: &mut PgConnection,
    caller: &Caller,
    (now, image): (&Customer, &Image),
    others: &[(Image, Relative)],
) -> Result<()> {
    let (billing, _) = without_merge(now, image)?;
    let others = others.iter().filter(|(image, _)| !image.billing.features.is_empty());
    let others = others.map(|(image, _)| (image.customer, &image.billing));
    let all: Vec<(CustomerId, &Billing)> = others.chain([(now.id, &billing)]).collect();
    for (id, billing) in all {
        let CustomerRecord { customer, terms, .. } = load(conn, caller, id).await?;
        let after = Customer { billing: billing.clone(), ..customer.clone() };
        if after.billing != customer.billing {
            let uses = UseChange::of(&customer, &after, &terms);
            stored::give(conn, caller.scope(), id, billing, &uses).await?;
        }
    }
    Ok(())
}

async fn load(conn: &mut PgConnection, caller: &Caller, id: CustomerId) -> Result<CustomerRecord> {
    Ok(store::customers::load(conn, caller, id, None, (&References::default(), None)).await?.seen)
}
