//! Holds placed and released: what CustomerService's handlers do.

use tonic::{Request, Response, Status};

use crate::{
    domain::{
        access::caller::Caller,
        values::{ids::HoldId, text::Text, violation::Violations},
    },
    grpc::{
        admit_mutation,
        convert::{caller_options, customer_id},
        customers::show::shown,
        of_mutation, pb, refuse,
    },
    service::customers::Customers,
};

pub(super) async fn place(
    customers: &Customers,
    request: Request<pb::PlaceHoldRequest>,
) -> Result<Response<pb::PlaceHoldResponse>, Status> {
    let (caller, message): (Caller, _) = admit_mutation(request)?;
    let mut violations = Violations::default();
    let options = caller_options(&mut violations, &caller, &message);
    let pb::PlaceHoldRequest { customer_id: id, kind, reason, etag: _, request_id: _, validate_only: _ } = message;
    let id = customer_id(&mut violations, "customer_id", &id);
    let kind = violations.check("kind", Text::parse(&kind));
    let reason = violations.check("reason", Text::parse(&reason));
    let (((id, kind), reason), options) = violations.finish(id.zip(kind).zip(reason).zip(options)).map_err(refuse)?;
    let outcome = customers.place_hold(&caller, id, kind, reason, &options).await.map_err(of_mutation(&options))?;
    let (customer, replayed) = shown(outcome);
    Ok(Response::new(pb::PlaceHoldResponse { customer, replayed }))
}

pub(super) async fn release(
    customers: &Customers,
    request: Request<pb::ReleaseHoldRequest>,
) -> Result<Response<pb::ReleaseHoldResponse>, Status> {
    let (caller, message): (Caller, _) = admit_mutation(request)?;
    let mut violations = Violations::default();
    let options = caller_options(&mut violations, &caller, &message);
    let pb::ReleaseHoldRequest { customer_id: id, hold_id, etag: _, request_id: _, validate_only: _ } = message;
    let id = customer_id(&mut violations, "customer_id", &id);
    let hold = violations.check("hold_id", HoldId::parse(&hold_id));
    let ((id, hold), options) = violations.finish(id.zip(hold).zip(options)).map_err(refuse)?;
    let outcome = customers.release_hold(&caller, id, hold, &options).await.map_err(of_mutation(&options))?;
    let (customer, replayed) = shown(outcome);
    Ok(Response::new(pb::ReleaseHoldResponse { customer, replayed }))
}
