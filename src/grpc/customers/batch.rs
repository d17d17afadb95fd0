//! The handlers of CustomerService for batches.

use tonic::Request;

use crate::{
    domain::access::caller::Caller,
    grpc::{
        convert::batch,
        handler::{Answered, mutate},
        pb,
        tags::tag_names,
    },
    service::customers::{BatchOutcomes, Customers},
};

pub(super) async fn modify_tags(
    customers: &Customers,
    request: Request<pb::ModifyCustomerTagsRequest>,
) -> Answered<pb::ModifyCustomerTagsResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::ModifyCustomerTagsRequest { customer_ids, add_tags, remove_tags, request_id: _, validate_only: _ } =
                message;
            let items = batch(violations, &customer_ids);
            items.zip(tag_names(violations, &add_tags, &remove_tags))
        },
        async |caller: &Caller, (items, names), options| {
            let outcome = customers.modify_tags(caller, &items, &names, options).await?;
            let replayed = outcome.replayed;
            Ok(pb::ModifyCustomerTagsResponse { outcomes: outcomes_out(outcome.value), replayed })
        },
    )
    .await
}

pub(super) async fn archive(
    customers: &Customers,
    request: Request<pb::ArchiveCustomersRequest>,
) -> Answered<pb::ArchiveCustomersResponse> {
    mutate(
        request,
        |violations, _, pb::ArchiveCustomersRequest { customer_ids, request_id: _, validate_only: _ }| {
            batch(violations, &customer_ids)
        },
        async |caller: &Caller, items, options| {
            let outcome = customers.archive(caller, &items, options).await?;
            let replayed = outcome.replayed;
            Ok(pb::ArchiveCustomersResponse { outcomes: outcomes_out(outcome.value), replayed })
        },
    )
    .await
}

pub(super) async fn unarchive(
    customers: &Customers,
    request: Request<pb::UnarchiveCustomersRequest>,
) -> Answered<pb::UnarchiveCustomersResponse> {
    mutate(
        request,
        |violations, _, pb::UnarchiveCustomersRequest { customer_ids, request_id: _, validate_only: _ }| {
            batch(violations, &customer_ids)
        },
        async |caller: &Caller, items, options| {
            let outcome = customers.unarchive(caller, &items, options).await?;
            let replayed = outcome.replayed;
            Ok(pb::UnarchiveCustomersResponse { outcomes: outcomes_out(outcome.value), replayed })
        },
    )
    .await
}

/// Converts the outcomes of a batch.
pub(super) fn outcomes_out(outcomes: BatchOutcomes) -> Vec<pb::CustomerOutcome> {
    outcomes
        .into_iter()
        .map(|(id, changed, etag)| pb::CustomerOutcome {
            customer_id: id.to_string(),
            changed,
            etag: etag.unwrap_or_default(),
        })
        .collect()
}
