//! gRPC: the only layer that knows the generated types. `handler` holds what all handlers do alike.

mod access;
mod accounts;
mod convert;
mod customers;
pub mod demo;
mod handler;
mod history;
pub mod status;
mod tags;

use tonic::service::Routes;

pub use self::handler::AccessUnavailable;
use crate::service::Services;

/// The generated messages, clients and servers of `clientele.v1`.
#[allow(
    missing_docs,
    unreachable_pub,
    unused_qualifications,
    elided_lifetimes_in_paths,
    clippy::all,
    clippy::pedantic,
    clippy::restriction,
    reason = "generated"
)]
pub mod pb {
    tonic::include_proto!("clientele.v1");
}

/// The contract as reflection serves it, with all options and comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Largest request: several times the largest customer or a batch of a thousand ids.
const MAX_REQUEST: usize = 256 * 1024;
/// Largest answer; clients refuse more than 4 MiB by default.
const MAX_ANSWER: usize = 4 * 1024 * 1024;

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
        .add_service(bounded!(pb::customer_service_server::CustomerServiceServer, customers::Handlers::new(services)))
        .add_service(bounded!(pb::history_service_server::HistoryServiceServer, history::Handlers::new(services)))
        .add_service(bounded!(pb::tag_service_server::TagServiceServer, tags::Handlers::new(services)))
}
