//! The handler of CreateCustomer.

use tonic::Request;

use super::{duplicates, read, show};
use crate::{
    domain::access::caller::Caller,
    grpc::{
        handler::{Answered, mutate},
        pb,
    },
    service::customers::{Customers, NewCustomer},
};

pub(super) async fn create(
    customers: &Customers,
    request: Request<pb::CreateCustomerRequest>,
) -> Answered<pb::CreateCustomerResponse> {
    mutate(
        request,
        |violations, caller: &Caller, message| {
            let pb::CreateCustomerRequest { customer, request_id: _, validate_only: _, duplicate_policy } = message;
            let policy = duplicates::policy(violations, duplicate_policy);
            let acting = caller.account();
            let new = violations.nest("", read::draft(customer, &acting.policies, acting.industries.as_deref()));
            new.zip(policy).map(|(new, duplicates)| NewCustomer { duplicates, ..new })
        },
        async |caller: &Caller, new, options| {
            let outcome = customers.create(caller, &new, options).await?;
            let possible_duplicates = duplicates::out(outcome.value.duplicates);
            let (mut customer, replayed) = (show::full(outcome.value.customer), outcome.replayed);
            if options.validate_only {
                // It is not stored, so its id finds nothing.
                customer.id.clear();
            }
            Ok(pb::CreateCustomerResponse { customer: Some(customer), replayed, possible_duplicates })
        },
    )
    .await
}
