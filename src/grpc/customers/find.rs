//! The handlers of CustomerService that find customers by other means than one id, and check names.

use std::collections::HashSet;

use prost::Message as _;
use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        values::{
            custom_id::{CustomId, ResolvedBy, System},
            ids::CustomerId,
            name::Name,
            text::optional,
            violation::{Rule, Violations},
        },
    },
    error::Error,
    grpc::{
        MAX_ANSWER,
        convert::{self, customer_id},
        customers::show::in_view,
        handler::{Answered, read},
        pb,
    },
    service::customers::Customers,
};

/// Largest batch of a read.
const MAX_READ: usize = 100;

pub(super) async fn batch_get(
    customers: &Customers,
    request: Request<pb::BatchGetCustomersRequest>,
) -> Answered<pb::BatchGetCustomersResponse> {
    read(
        request,
        |violations, _, pb::BatchGetCustomersRequest { customer_ids, view }| {
            let ids = ids(violations, &customer_ids);
            ids.zip(violations.check("view", convert::view(view)))
        },
        async |caller: &Caller, (ids, view)| {
            let found = customers.batch_get(caller, &ids, view).await?;
            let answer = pb::BatchGetCustomersResponse {
                customers: found.customers.into_iter().map(|customer| in_view(customer, view)).collect(),
                missing_ids: found.missing.iter().map(ToString::to_string).collect(),
            };
            // A batch has no second page, and clients reject an answer of that size.
            if answer.encoded_len() > MAX_ANSWER { Err(Error::AnswerTooLarge) } else { Ok(answer) }
        },
    )
    .await
}

pub(super) async fn lookup(
    customers: &Customers,
    request: Request<pb::LookupCustomerRequest>,
) -> Answered<pb::LookupCustomerResponse> {
    read(
        request,
        |violations, _, pb::LookupCustomerRequest { custom_id, system, view }| {
            let id = violations.check("custom_id", CustomId::parse(&custom_id));
            let system = violations.check("system", optional(&system, System::parse));
            id.zip(system).zip(violations.check("view", convert::view(view)))
        },
        async |caller: &Caller, ((id, system), view)| {
            let (customer, by) = customers.lookup(caller, id, system).await?;
            let resolved_by = match by {
                ResolvedBy::Current => pb::ResolvedBy::Current,
                ResolvedBy::Alias => pb::ResolvedBy::Alias,
                ResolvedBy::Merge => pb::ResolvedBy::Merge,
            };
            let customer = Some(in_view(customer, view));
            Ok(pb::LookupCustomerResponse { customer, resolved_by: resolved_by.into() })
        },
    )
    .await
}

pub(super) async fn check_name(
    customers: &Customers,
    request: Request<pb::CheckNameAvailabilityRequest>,
) -> Answered<pb::CheckNameAvailabilityResponse> {
    read(
        request,
        |violations, _, pb::CheckNameAvailabilityRequest { name }| violations.check("name", Name::parse(&name)),
        async |caller: &Caller, name| {
            let availability = customers.check_name(caller, &name).await?;
            Ok(pb::CheckNameAvailabilityResponse {
                available: availability.available,
                suggestions: availability.suggestions,
            })
        },
    )
    .await
}

/// The ids of a batch of a read. A repeated id counts once, at its first index.
fn ids(violations: &mut Violations, raw: &[String]) -> Option<Vec<CustomerId>> {
    if raw.is_empty() || raw.len() > MAX_READ {
        let rule = Rule::with(format!("must be 1 to {MAX_READ} ids; these are {}", raw.len()));
        violations.push("customer_ids", rule);
        return None;
    }
    let ids = raw.iter().enumerate();
    let ids = ids.filter_map(|(index, id)| customer_id(violations, &format!("customer_ids[{index}]"), id));
    let mut seen = HashSet::with_capacity(raw.len());
    Some(ids.filter(|id| seen.insert(*id)).collect())
}
