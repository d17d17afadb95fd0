//! The handlers of CustomerService that merge customers and erase one.

use std::collections::BTreeMap;

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        customers::{
            merge::{MAX_CHOICES, MAX_MERGED},
            merge_blocker::{MergeBlocker, UndoBlocker},
        },
        fields::field::Field,
        values::{
            ids::CustomerId,
            violation::{Rule, Violations},
        },
    },
    grpc::{
        convert::customer_id,
        customers::show,
        handler::{Answered, mutate},
        pb,
    },
    service::customers::{BlockedMerge, Customers, Merge, Merged},
};

pub(super) async fn erase(
    customers: &Customers,
    request: Request<pb::EraseCustomerRequest>,
) -> Answered<pb::EraseCustomerResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::EraseCustomerRequest { customer_id: id, etag: _, request_id: _, validate_only: _ } = message;
            customer_id(violations, "customer_id", &id)
        },
        async |caller: &Caller, id, options| {
            let (customer, replayed) = show::outcome(customers.erase(caller, id, options).await?);
            Ok(pb::EraseCustomerResponse { customer, replayed })
        },
    )
    .await
}

pub(super) async fn merge(
    customers: &Customers,
    request: Request<pb::MergeCustomersRequest>,
) -> Answered<pb::MergeCustomersResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::MergeCustomersRequest {
                customer_id: id,
                merged_customer_ids,
                choices,
                etag: _,
                merged_etags,
                request_id: _,
                validate_only: _,
            } = message;
            let survivor = customer_id(violations, "customer_id", &id);
            let others = others(violations, survivor, &merged_customer_ids);
            let all: Vec<CustomerId> = survivor.iter().chain(others.iter().flatten()).copied().collect();
            for (field, most, found) in
                [("choices", MAX_CHOICES, choices.len()), ("merged_etags", MAX_MERGED, merged_etags.len())]
            {
                if found > most {
                    violations.push(field, Rule::with(format!("must be at most {most} entries; these are {found}")));
                    return None;
                }
            }
            let mut by_field = BTreeMap::new();
            for (name, id) in &choices {
                let path = format!("choices.{name}");
                match (Field::parse(name), CustomerId::parse(id).ok().filter(|id| all.contains(id))) {
                    (Some(field), Some(id)) => drop(by_field.insert(field, id)),
                    (None, _) => {
                        violations.push(path, Rule::new("must be the name of a field that an update mask may name"));
                    }
                    (_, None) => violations.push(path, Rule::new(OF_THIS_MERGE)),
                }
            }
            let mut etags = BTreeMap::new();
            for (id, etag) in &merged_etags {
                match CustomerId::parse(id).ok().filter(|id| others.iter().flatten().any(|other| other == id)) {
                    Some(id) => drop(etags.insert(id, etag.clone())),
                    None => violations.push(format!("merged_etags.{id}"), Rule::new(OF_THIS_MERGE)),
                }
            }
            let (survivor, others) = survivor.zip(others)?;
            let others = others.into_iter().map(|id| Merged { id, etag: etags.remove(&id) }).collect();
            Some(Merge { survivor, others, choices: by_field })
        },
        async |caller: &Caller, merge, options| {
            let outcome = customers.merge(caller, &merge, options).await?;
            Ok(pb::MergeCustomersResponse {
                customer: Some(show::full(outcome.value.customer)),
                replayed: outcome.replayed,
                blockers: outcome.value.blockers.into_iter().map(blocked_out).collect(),
            })
        },
    )
    .await
}

const OF_THIS_MERGE: &str = "must be the id of a customer of this merge";

/// The ids of those that are merged, each once.
fn others(violations: &mut Violations, survivor: Option<CustomerId>, raw: &[String]) -> Option<Vec<CustomerId>> {
    if raw.is_empty() || raw.len() > MAX_MERGED {
        let rule = Rule::with(format!("must be 1 to {MAX_MERGED} ids; these are {}", raw.len()));
        violations.push("merged_customer_ids", rule);
        return None;
    }
    let mut ids = Vec::with_capacity(raw.len());
    for (place, id) in raw.iter().enumerate() {
        let field = format!("merged_customer_ids[{place}]");
        match customer_id(violations, &field, id) {
            Some(id) if survivor == Some(id) => {
                violations.push(field, Rule::new("must not be the customer that stays"));
            }
            Some(id) if !ids.contains(&id) => ids.push(id),
            Some(_) | None => {}
        }
    }
    Some(ids)
}

fn blocked_out(blocked: BlockedMerge) -> pb::BlockedMerge {
    let blocker = match &blocked.blocker {
        MergeBlocker::Hold => pb::MergeBlocker::Hold,
        MergeBlocker::OtherOwner => pb::MergeBlocker::OtherOwner,
        MergeBlocker::Merged => pb::MergeBlocker::Merged,
        MergeBlocker::Erased => pb::MergeBlocker::Erased,
        MergeBlocker::Reseller => pb::MergeBlocker::Reseller,
        MergeBlocker::TooManyContacts => pb::MergeBlocker::TooManyContacts,
        MergeBlocker::TooManyLabels => pb::MergeBlocker::TooManyLabels,
        MergeBlocker::TooManyCustomIds => pb::MergeBlocker::TooManyCustomIds,
        MergeBlocker::TooManyTags => pb::MergeBlocker::TooManyTags,
        MergeBlocker::TooManyLinks => pb::MergeBlocker::TooManyLinks,
        MergeBlocker::TooManySources => pb::MergeBlocker::TooManySources,
        MergeBlocker::ActiveFeatures => pb::MergeBlocker::ActiveFeatures,
        MergeBlocker::TooManyPaymentMethods => pb::MergeBlocker::TooManyPaymentMethods,
        MergeBlocker::CreditLimit { .. } => pb::MergeBlocker::CreditLimit,
        MergeBlocker::PriceMissing(_) => pb::MergeBlocker::PriceMissing,
        MergeBlocker::Currency { .. } => pb::MergeBlocker::Currency,
        MergeBlocker::ServiceClass(_) => pb::MergeBlocker::ServiceClass,
        MergeBlocker::TooManyFeatures => pb::MergeBlocker::TooManyFeatures,
    };
    pb::BlockedMerge {
        customer_id: blocked.customer.to_string(),
        field: blocked.at,
        blocker: blocker.into(),
        message: blocked.blocker.text().into_owned(),
    }
}

pub(super) async fn unmerge(
    customers: &Customers,
    request: Request<pb::UnmergeCustomersRequest>,
) -> Answered<pb::UnmergeCustomersResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::UnmergeCustomersRequest { customer_id: id, keep_newer, etag: _, request_id: _, validate_only: _ } =
                message;
            customer_id(violations, "customer_id", &id).map(|id| (id, keep_newer))
        },
        async |caller: &Caller, (id, keep_newer), options| {
            let outcome = customers.unmerge(caller, id, keep_newer, options).await?;
            Ok(pb::UnmergeCustomersResponse {
                customer: Some(show::full(outcome.value.customer)),
                replayed: outcome.replayed,
                blockers: outcome.value.blockers.into_iter().map(|blocker| undo_out(blocker).into()).collect(),
                changed_fields: outcome.value.changed_fields,
            })
        },
    )
    .await
}

fn undo_out(blocker: UndoBlocker) -> pb::UnmergeBlocker {
    match blocker {
        UndoBlocker::NotMerged => pb::UnmergeBlocker::NotMerged,
        UndoBlocker::TooLate => pb::UnmergeBlocker::TooLate,
        UndoBlocker::LaterMerge => pb::UnmergeBlocker::LaterMerge,
        UndoBlocker::MovedOn => pb::UnmergeBlocker::MovedOn,
        UndoBlocker::Erased => pb::UnmergeBlocker::Erased,
        UndoBlocker::NameTaken => pb::UnmergeBlocker::NameTaken,
        UndoBlocker::OrderReferenceTaken => pb::UnmergeBlocker::OrderReferenceTaken,
        UndoBlocker::Features => pb::UnmergeBlocker::Features,
    }
}
