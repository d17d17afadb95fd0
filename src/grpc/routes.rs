//! The services of the contract, each with the limits of its messages.

use tonic::service::Routes;

use super::{MAX_ANSWER, MAX_REQUEST, access, accounts, billing, customers, history, pb, tags};
use crate::service::Services;

/// All services of the contract.
#[must_use]
pub fn routes(services: &Services) -> Routes {
    macro_rules! bounded {
        ($server:path, $handlers:expr) => {{
            use $server as server;
            server::new($handlers).max_decoding_message_size(MAX_REQUEST).max_encoding_message_size(MAX_ANSWER)
        }};
    }
    Routes::new(bounded!(pb::access_service_server::AccessServiceServer, access::Handlers::new(services)))
        .add_service(bounded!(pb::account_service_server::AccountServiceServer, accounts::Handlers::new(services)))
        .add_service(bounded!(pb::billing_service_server::BillingServiceServer, billing::Handlers::new(services)))
        .add_service(bounded!(pb::customer_service_server::CustomerServiceServer, customers::Handlers::new(services)))
        .add_service(bounded!(pb::history_service_server::HistoryServiceServer, history::Handlers::new(services)))
        .add_service(bounded!(pb::tag_service_server::TagServiceServer, tags::Handlers::new(services)))
}
