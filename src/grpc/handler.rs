//! What all handlers do alike: they take the caller's identity, parse the message and report every violation at once,
//! run one use case, and turn its error into a status. A handler itself shows only which fields it parses, which use
//! case it runs and what it answers.

use std::sync::Arc;

use prost::Message;
use tonic::{Request, Response, Status};

use crate::{
    domain::{
        access::caller::{Authenticated, Caller, Operator},
        requests::options::{Options, Repeatable},
        values::{
            ids::{CustomerId, RequestId},
            violation::Violations,
        },
    },
    error::{Error, Result},
    grpc::{
        fingerprint::{Mutation, fingerprint},
        status::{self, Repeat, RequestFields},
    },
    service::page::Page,
};

/// A page of a list ends before it is larger than this.
const MAX_PAGE: usize = 2 * 1024 * 1024;

/// The answer of a handler.
pub(super) type Answered<M> = Result<Response<M>, Status>;

/// In a mutation's extensions instead of an identity: the database could not be reached to learn it. The call must end
/// with this failure; only its message says whether it may be sent again.
#[derive(Clone, Debug)]
pub struct AccessUnavailable(pub Arc<Error>);

/// The error of a use case whose stored answer is another one's.
pub(super) fn other_answer() -> Error {
    Error::internal("the stored answer is of another use case")
}

/// An identity that may call mutations.
pub(super) trait Actor: Send + Sync + 'static {
    /// What a repeat must have in common with the first call beside its message.
    fn around(&self) -> Vec<u8>;
}

impl Actor for Caller {
    fn around(&self) -> Vec<u8> {
        let narrowed = self.scope().narrowed().map(CustomerId::get).unwrap_or_default();
        [self.scope().root().get().into_bytes(), narrowed.into_bytes()].concat()
    }
}

impl Actor for Authenticated {
    /// A caller's own matters are the same in whichever account it acts.
    fn around(&self) -> Vec<u8> {
        Vec::new()
    }
}

impl Actor for Operator {
    /// An operator acts in no account.
    fn around(&self) -> Vec<u8> {
        Vec::new()
    }
}

/// Handles a read: `parse` reads the message, `find` runs the use case and makes the answer.
pub(super) async fn read<W: Send + Sync + 'static, M: RequestFields, P, R>(
    request: Request<M>,
    parse: impl FnOnce(&mut Violations, &W, M) -> Option<P>,
    find: impl AsyncFnOnce(&W, P) -> Result<R>,
) -> Answered<R> {
    let (who, message) = admit::<W, M>(request, |_| Repeat::Safe)?;
    let mut violations = Violations::default();
    let parsed = parse(&mut violations, &who, message);
    let answer = match violations.finish(parsed) {
        Ok(parsed) => find(&who, parsed).await,
        Err(violations) => Err(violations.into()),
    };
    answer.map(Response::new).map_err(|error| status::for_request::<M>(error, Repeat::Safe))
}

/// Handles a mutation: `parse` reads the message, `execute` runs the use case and makes the answer.
pub(super) async fn mutate<W: Actor, M: Mutation + RequestFields, P, R>(
    request: Request<M>,
    parse: impl FnOnce(&mut Violations, &W, M) -> Option<P>,
    execute: impl AsyncFnOnce(&W, P, &Options) -> Result<R>,
) -> Answered<R> {
    mutate_completing(request, parse, async |_: &W, _: P, _: &mut Violations| {}, execute).await
}

/// Handles a mutation some of whose violations depend on what is stored. If the message has violations, `complete` gets what could be
/// read, and adds the others: so all are in one answer.
pub(super) async fn mutate_completing<W: Actor, M: Mutation + RequestFields, P, R>(
    request: Request<M>,
    parse: impl FnOnce(&mut Violations, &W, M) -> Option<P>,
    complete: impl AsyncFnOnce(&W, P, &mut Violations),
    execute: impl AsyncFnOnce(&W, P, &Options) -> Result<R>,
) -> Answered<R> {
    let (who, message) = admit::<W, M>(request, |message| repeat(!message.request_id().is_empty()))?;
    let mut violations = Violations::default();
    let options = options(&mut violations, &who, &message);
    let mut parsed = parse(&mut violations, &who, message);
    if !violations.is_empty()
        && let Some(read) = parsed.take()
    {
        Box::pin(complete(&who, read, &mut violations)).await;
    }
    let (parsed, options) = violations
        .finish(parsed.zip(options))
        .map_err(|violations| status::for_request::<M>(violations.into(), Repeat::Safe))?;
    // Boxed: the future of a use case is large, and the handler's own would contain it beside the message.
    let answer = Box::pin(execute(&who, parsed, &options)).await;
    answer.map(Response::new).map_err(|error| status::for_request::<M>(error, repeat(options.request.is_some())))
}

/// Takes the identity from the request's extensions, where layers/access put it. Identity comes from nowhere else.
fn admit<W: Send + Sync + 'static, M>(
    mut request: Request<M>,
    repeat: impl FnOnce(&M) -> Repeat,
) -> Result<(W, M), Status> {
    if let Some(AccessUnavailable(failure)) = request.extensions_mut().remove() {
        return Err(status::from_error(failure.duplicate(), repeat(request.get_ref())));
    }
    let who = request.extensions_mut().remove::<W>();
    let who = who.ok_or_else(|| status::from_error(Error::internal("a call without an identity"), Repeat::Unsafe))?;
    Ok((who, request.into_inner()))
}

/// Whether a mutation may be sent again.
pub(super) fn repeat(has_request_id: bool) -> Repeat {
    if has_request_id { Repeat::Safe } else { Repeat::Unsafe }
}

/// The options of a mutation.
fn options(violations: &mut Violations, who: &impl Actor, message: &impl Mutation) -> Option<Options> {
    let id = if message.request_id().is_empty() {
        None
    } else {
        Some(violations.check("request_id", RequestId::parse(message.request_id()))?)
    };
    let request = id.filter(|_| !message.validate_only()).map(|id| Repeatable {
        id,
        key: id,
        fingerprint: fingerprint(&who.around(), message),
    });
    let etag = (!message.etag().is_empty()).then(|| message.etag().to_owned());
    Some(Options { etag, request, validate_only: message.validate_only() })
}

/// A page of a list as messages: as many items as fit into an answer, and the token of the next page, empty after the
/// last.
pub(super) fn page<T, M: Message>(
    page: &Page<T>,
    message: impl Fn(&T) -> M,
    token: impl FnOnce(&T) -> Result<String>,
) -> Result<(Vec<M>, String)> {
    let (messages, cut) = fit(page.items.iter().map(message).collect());
    let last = page.items.get(messages.len().wrapping_sub(1)).filter(|_| cut || page.more);
    let token = last.map(token).transpose()?;
    Ok((messages, token.unwrap_or_default()))
}

/// As many messages as fit into a page, and whether others did not fit.
pub(super) fn fit<M: Message>(messages: Vec<M>) -> (Vec<M>, bool) {
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
