//! Undoing a merge: what it needs, what was changed since, and what is in the way.

use std::collections::HashSet;

use sqlx::PgConnection;

use super::merge_billing::{obstacle, without_merge};
use crate::{
    domain::{
        access::caller::Caller,
        accounts::account::name_scope,
        customers::{customer::Customer, merge::undo, merge_blocker::UndoBlocker},
        fields::customer_fields::CustomerFields,
        history::{event::Changes, event_type::EventType},
        values::{
            enums::NameUniqueness,
            ids::{CustomerId, EventId},
        },
    },
    error::{Error, Result},
    service::clock,
    store::{
        self,
        customers::{
            CustomerRecord,
            family::Relative,
            merge::{
                Changed,
                images::{Image, KeptMerge},
                undo::LostId,
            },
        },
    },
};

/// A merge with all that undoing it needs.
pub(super) struct Undoing {
    pub(super) kept: KeptMerge,
    /// The one that stayed, as it is now.
    pub(super) survivor: CustomerRecord,
    /// The image of the one that stayed.
    pub(super) image: Image,
    /// Those that were merged: images, and as they are now.
    pub(super) others: Vec<(Image, Relative)>,
    /// Those that had been merged into one of them.
    pub(super) sources: Vec<(Relative, CustomerId)>,
}

pub(super) fn unmerged_event(customer: CustomerId, revision: i64, changes: Changes) -> Changed {
    Changed {
        customer,
        revision: revision + 1,
        audience: None,
        happened: EventType::Unmerged,
        event: EventId::from_uuid(clock::new_id()),
        changes,
    }
}

/// The fields of the one that stayed without the merge, and the paths that were changed after it, those of billing too.
pub(super) fn changed_fields(undoing: &Undoing) -> Result<(CustomerFields, Vec<String>)> {
    let after = undoing.image.after.as_ref().ok_or_else(|| Error::internal("a merge without an image"))?;
    let (fields, changed) = undo(&undoing.survivor.customer.fields, &undoing.image.fields, after);
    let (_, more) = without_merge(&undoing.survivor.customer, &undoing.image)?;
    Ok((fields, changed.into_iter().map(ToOwned::to_owned).chain(more).collect()))
}

/// The paths of custom IDs that cannot simply go back; those of other accounts by one path that names no system of theirs.
pub(super) fn lost_paths(caller: &Caller, lost: &[LostId]) -> Vec<String> {
    let path = |lost: &LostId| match lost.account == caller.scope().root() {
        true => format!("custom_ids.{}", lost.system),
        false => "custom_ids".to_owned(),
    };
    let mut paths: Vec<String> = lost.iter().map(path).collect();
    paths.sort_unstable();
    paths.dedup();
    paths
}

/// Names and order references that other customers have, or that two of these would have under the rule of today; and features
/// that cannot come back.
pub(super) async fn conflicts(
    conn: &mut PgConnection,
    caller: &Caller,
    rule: NameUniqueness,
    undoing: &Undoing,
    fields: &CustomerFields,
) -> Result<Vec<UndoBlocker>> {
    let survivor = Customer { fields: fields.clone(), ..undoing.survivor.customer.clone() };
    let as_before = |(image, _): &(Image, Relative)| Customer {
        id: image.customer,
        fields: image.fields.clone(),
        ..undoing.survivor.customer.clone()
    };
    let all: Vec<Customer> = std::iter::once(survivor).chain(undoing.others.iter().map(as_before)).collect();
    let moving: Vec<&Customer> = all.iter().collect();
    let owner = undoing.image.owner;
    let found = store::customers::ownership::find_conflicts(conn, caller.scope(), owner, rule, &moving).await?;
    let (mut names, mut orders) = (HashSet::new(), HashSet::new());
    let is_unique = name_scope(rule, caller.scope().tenant(), owner)?.is_some();
    let twin_name = all.iter().any(|one| is_unique && !names.insert(one.fields.name.key().as_str()));
    let references = all.iter().filter_map(|one| one.fields.order_reference.as_ref());
    let mut twin_order = false;
    references.for_each(|reference| twin_order |= !orders.insert(reference.as_str()));
    let blockers = [
        (twin_name || found.iter().any(|conflict| conflict.name.is_some()), UndoBlocker::NameTaken),
        (
            twin_order || found.iter().any(|conflict| conflict.order_reference.is_some()),
            UndoBlocker::OrderReferenceTaken,
        ),
    ];
    let features = obstacle(conn, caller, &undoing.others).await?;
    Ok(blockers.into_iter().filter_map(|(there, blocker)| there.then_some(blocker)).chain(features).collect())
}
