//! The wire: the only room that knows the generated types. A handler takes a message apart, all violations at once, calls
//! one use case, and puts the answer together.

mod access;
mod accounts;
mod convert;
mod customers;
pub mod demo;
mod history;
pub mod pb;
mod routes;
pub mod status;
mod tags;

use std::sync::Arc;

use prost::Message;
use tonic::{Request, Status};

pub use self::routes::routes;
use crate::{
    domain::{requests::options::Options, values::violation::Violations},
    error::Error,
    grpc::status::Repeat,
};

/// The contract as reflection serves it, with all options and comments.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// Largest answer; clients refuse more than 4 MiB by default.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// A page of a list ends before it is larger than this.
const MAX_PAGE: usize = 2 * 1024 * 1024;

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
        return Err(status::of(failure.again(), repeat(request.get_ref())));
    }
    let who = request.extensions_mut().remove::<Who>();
    let who = who.ok_or_else(|| status::of(Error::internal("a call passed by the gate"), Repeat::Unsafe))?;
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
    status::of(violations.into(), Repeat::Safe)
}

/// How the failure of a read is told.
fn of_read(error: Error) -> Status {
    status::of(error, Repeat::Safe)
}

/// How the failure of a mutation is told: whether to send it again depends on its request_id.
fn of_mutation(options: &Options) -> impl FnOnce(Error) -> Status + use<> {
    let repeat = if options.request.is_some() { Repeat::Safe } else { Repeat::Unsafe };
    move |error| status::of(error, repeat)
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
