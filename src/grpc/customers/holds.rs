//! The handlers of CustomerService for holds.

use tonic::Request;

use crate::{
    domain::{
        access::caller::Caller,
        values::{ids::HoldId, text::Text},
    },
    grpc::{
        convert::customer_id,
        customers::show,
        handler::{Answered, mutate},
        pb,
    },
    service::customers::Customers,
};

pub(super) async fn place(
    customers: &Customers,
    request: Request<pb::PlaceHoldRequest>,
) -> Answered<pb::PlaceHoldResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::PlaceHoldRequest { customer_id: id, kind, reason, etag: _, request_id: _, validate_only: _ } =
                message;
            let id = customer_id(violations, "customer_id", &id);
            let kind = violations.check("kind", Text::parse(&kind));
            id.zip(kind).zip(violations.check("reason", Text::parse(&reason)))
        },
        async |caller: &Caller, ((id, kind), reason), options| {
            let (customer, replayed) = show::outcome(customers.place_hold(caller, id, kind, reason, options).await?);
            Ok(pb::PlaceHoldResponse { customer, replayed })
        },
    )
    .await
}

pub(super) async fn release(
    customers: &Customers,
    request: Request<pb::ReleaseHoldRequest>,
) -> Answered<pb::ReleaseHoldResponse> {
    mutate(
        request,
        |violations, _, message| {
            let pb::ReleaseHoldRequest { customer_id: id, hold_id, etag: _, request_id: _, validate_only: _ } = message;
            let id = customer_id(violations, "customer_id", &id);
            id.zip(violations.check("hold_id", HoldId::parse(&hold_id)))
        },
        async |caller: &Caller, (id, hold), options| {
            let (customer, replayed) = show::outcome(customers.release_hold(caller, id, hold, options).await?);
            Ok(pb::ReleaseHoldResponse { customer, replayed })
        },
    )
    .await
}
