//! The wire: the only room that knows the generated types. A handler takes a message apart, all violations at once, calls
//! one use case, and puts the answer together.

mod access;
mod accounts;
mod convert;
mod customers;
pub mod demo;
mod history;
pub mod status;
mod tags;

use std::sync::Arc;

use prost::Message;
use tonic::{Request, Status, service::Routes};

use crate::{
    domain::{requests::options::Options, values::violation::Violations},
    error::Error,
    grpc::status::Repeat,
    service::Services,
};

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

/// Largest request: a customer with all that it may hold, or a batch of a thousand ids, fits several times over.
const MAX_REQUEST: usize = 256 * 1024;
/// Largest answer; clients refuse more than 4 MiB by default.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// A page of a list ends before it is larger than this.
const MAX_PAGE: usize = 2 * 1024 * 1024;

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

/// In a mutation's extensions instead of an identity: the gate could not reach the database to learn it. The call must
/// end with this failure; only its message says whether it may be sent again.
#[derive(Clone, Debug)]
pub struct AccessUnavailable(pub Arc<Error>);

/// Takes the identity that the gate put into a read's extensions, and the message. Identity comes from nowhere else.
fn admit<Who: Send + Sync + 'static, M>(request: Request<M>) -> Result<(Who, M), Status> {
    take(request, |_| Repeat::Unsafe)
}

/// The same for a mutation.
fn admit_mutation<Who: Send + Sync + 'static, M: Mutation>(request: Request<M>) -> Result<(Who, M), Status> {
    take(request, |message| if message.request_id().is_empty() { Repeat::Unsafe } else { Repeat::Safe })
}

fn take<Who: Send + Sync + 'static, M>(
    mut request: Request<M>,
    repeat: impl FnOnce(&M) -> Repeat,
) -> Result<(Who, M), Status> {
    if let Some(AccessUnavailable(failure)) = request.extensions_mut().remove() {
        return Err(status::from_error(failure.duplicate(), repeat(request.get_ref())));
    }
    let who = request.extensions_mut().remove::<Who>();
    let who = who.ok_or_else(|| status::from_error(Error::internal("a call passed by the gate"), Repeat::Unsafe))?;
    Ok((who, request.into_inner()))
}

/// A mutation's message: what all of them may say beside their subject.
trait Mutation: Message {
    /// What makes repeating it safe; empty if it came without.
    fn request_id(&self) -> &str;
    /// The state to change; empty if it came without, or cannot have one.
    fn etag(&self) -> &str;
    /// Whether it is to be checked and not done.
    fn validate_only(&self) -> bool;
}

include!(concat!(env!("OUT_DIR"), "/mutations.rs"));

/// How a refused message is told.
fn refuse(violations: Violations) -> Status {
    status::from_error(violations.into(), Repeat::Safe)
}

/// How the failure of a read is told.
fn of_read(error: Error) -> Status {
    status::from_error(error, Repeat::Safe)
}

/// How the failure of a mutation is told: whether to send it again depends on its request_id.
fn of_mutation(options: &Options) -> impl FnOnce(Error) -> Status + use<> {
    let repeat = if options.request.is_some() { Repeat::Safe } else { Repeat::Unsafe };
    move |error| status::from_error(error, repeat)
}

/// As many messages as fit into a page, and whether some did not.
fn fit<M: Message>(messages: Vec<M>) -> (Vec<M>, bool) {
    let mut size = 0;
    let all = messages.len();
    let fitting: Vec<M> = messages
        .into_iter()
        .take_while(|message| {
            size += message.encoded_len() + 8;
            size <= MAX_PAGE
        })
        .collect();
    let cut = fitting.len() < all;
    (fitting, cut)
}
