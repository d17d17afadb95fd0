//! Customers found otherwise than by one id, and names that may be had: what CustomerService's handlers do.

use std::collections::HashSet;

use prost::Message as _;
use tonic::{Request, Response, Status};

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
        MAX_ANSWER, admit,
        convert::{customer_id, is_full},
        customers::show,
        of_read, pb, refuse,
    },
    service::customers::{CustomerDetails, Customers},
};

/// Customers of one reading at most.
const MAX_READ: usize = 100;

pub(super) async fn batch_get(
    customers: &Customers,
    request: Request<pb::BatchGetCustomersRequest>,
) -> Result<Response<pb::BatchGetCustomersResponse>, Status> {
    let (caller, message): (Caller, _) = admit(request)?;
    let pb::BatchGetCustomersRequest { customer_ids, view } = message;
    let mut violations = Violations::default();
    let ids = ids(&mut violations, &customer_ids);
    let full = violations.check("view", is_full(view));
    let (ids, full) = violations.finish(ids.zip(full)).map_err(refuse)?;
    let found = customers.batch_get(&caller, &ids).await.map_err(of_read)?;
    let answer = pb::BatchGetCustomersResponse {
        customers: found.customers.into_iter().map(|shown| viewed(shown, full)).collect(),
        missing_ids: found.missing.iter().map(ToString::to_string).collect(),
    };
    // A batch has no second page: better no answer than one that clients refuse.
    if answer.encoded_len() > MAX_ANSWER {
        return Err(of_read(Error::AnswerTooLarge));
    }
    Ok(Response::new(answer))
}

pub(super) async fn lookup(
    customers: &Customers,
    request: Request<pb::LookupCustomerRequest>,
) -> Result<Response<pb::LookupCustomerResponse>, Status> {
    let (caller, message): (Caller, _) = admit(request)?;
    let pb::LookupCustomerRequest { custom_id, system, view } = message;
    let mut violations = Violations::default();
    let id = violations.check("custom_id", CustomId::parse(&custom_id));
    let system = violations.check("system", optional(&system, System::parse));
    let full = violations.check("view", is_full(view));
    let ((id, system), full) = violations.finish(id.zip(system).zip(full)).map_err(refuse)?;
    let (shown, by) = customers.lookup(&caller, &id, system.as_ref()).await.map_err(of_read)?;
    let resolved_by = match by {
        ResolvedBy::Current => pb::ResolvedBy::Current,
        ResolvedBy::Alias => pb::ResolvedBy::Alias,
    };
    let customer = Some(viewed(shown, full));
    Ok(Response::new(pb::LookupCustomerResponse { customer, resolved_by: resolved_by.into() }))
}

pub(super) async fn check_name(
    customers: &Customers,
    request: Request<pb::CheckNameAvailabilityRequest>,
) -> Result<Response<pb::CheckNameAvailabilityResponse>, Status> {
    let (caller, message): (Caller, _) = admit(request)?;
    let pb::CheckNameAvailabilityRequest { name } = message;
    let mut violations = Violations::default();
    let name = violations.check("name", Name::parse(&name));
    let name = violations.finish(name).map_err(refuse)?;
    let availability = customers.check_name(&caller, &name).await.map_err(of_read)?;
    Ok(Response::new(pb::CheckNameAvailabilityResponse {
        available: availability.available,
        suggestions: availability.suggestions,
    }))
}

fn viewed(shown: CustomerDetails, full: bool) -> pb::Customer {
    if full { show::full(shown) } else { show::basic(shown) }
}

/// The ids of a reading; one that is named again counts once, where it was named first.
fn ids(violations: &mut Violations, raw: &[String]) -> Option<Vec<CustomerId>> {
    if raw.is_empty() || raw.len() > MAX_READ {
        let rule = Rule::with(format!("must be 1 to {MAX_READ} ids; these are {}", raw.len()));
        violations.push("customer_ids", rule);
        return None;
    }
    let ids = raw.iter().enumerate();
    let ids = ids.filter_map(|(place, id)| customer_id(violations, &format!("customer_ids[{place}]"), id));
    let mut seen = HashSet::with_capacity(raw.len());
    Some(ids.filter(|id| seen.insert(*id)).collect())
}
