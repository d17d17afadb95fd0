//! Calls that need no token: health and reflection. They have no queue and take no permit, because an overloaded server must not
//! look dead. So that they cost little without one, a connection and a peer have a number of them open at most (a watch stays
//! open), a message that has begun must be complete in time, and its bytes are counted as those of all callers that no token has
//! proved.

use std::{
    net::IpAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, Sleep, sleep},
};
use tonic::{Status, body::Body};

use super::{
    call_layer::{CONTRACT_PREFIX, CallLayer, Inner},
    kept_body::KeptBody,
    peers::{PeerLimit, PeerPlace},
};
use crate::{
    error::{Error, Result},
    grpc::status::{self, Repeat},
    service::bytes::{ByteBudget, HeldBytes},
};

/// The largest message of health and reflection, in bytes.
pub const MAX_MESSAGE: usize = 64 * 1024;
/// Open calls on one connection.
const MAX_OPEN: usize = 16;
/// How long a message may take from its first byte to its last. The first message of a call must be complete after this time.
const MESSAGE_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of a message that are not counted: a probe must not fail because others use up what callers without a token may hold.
const NOT_COUNTED: usize = 1024;
/// When a caller should come again that has too many open calls.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The places of one connection for open calls without a token, and those of its peer. In the extensions of each such request.
#[derive(Clone, Debug)]
pub struct TokenlessPlaces {
    on_connection: Arc<Semaphore>,
    peers: PeerLimit,
    address: IpAddr,
}

impl TokenlessPlaces {
    /// The places of a new connection from this address.
    #[must_use]
    pub fn new(peers: &PeerLimit, address: IpAddr) -> Self {
        Self { on_connection: Arc::new(Semaphore::new(MAX_OPEN)), peers: peers.clone(), address }
    }

    /// Puts them into the extensions of a request outside the contract.
    pub fn insert_into(&self, request: &mut Request<Body>) {
        if !request.uri().path().starts_with(CONTRACT_PREFIX) {
            request.extensions_mut().insert(self.clone());
        }
    }

    fn take(&self) -> Option<Place> {
        let on_connection = Arc::clone(&self.on_connection).try_acquire_owned().ok()?;
        Some(Place { _on_connection: on_connection, _of_peer: self.peers.take(self.address)? })
    }
}

/// A call's place.
struct Place {
    _on_connection: OwnedSemaphorePermit,
    _of_peer: PeerPlace,
}

/// Limits the calls of the services that it is around.
#[derive(Clone, Debug)]
pub struct Tokenless {
    budget: ByteBudget,
}

impl Tokenless {
    /// Counts the bytes of messages in `budget`.
    #[must_use]
    pub fn new(budget: ByteBudget) -> Self {
        Self { budget }
    }
}

impl CallLayer for Tokenless {
    async fn handle<S: Inner>(self, inner: S, mut request: Request<Body>) -> Response<Body> {
        // Without a connection, in a test, there is nothing to count.
        let place = match request.extensions_mut().remove::<TokenlessPlaces>().map(|places| places.take()) {
            Some(None) => return overloaded().into_http(),
            Some(place) => place,
            None => None,
        };
        let held = self.budget.holder(None);
        let response = inner.run(request.map(|body| Body::new(Messages::new(body, held)))).await;
        response.map(|body| Body::new(KeptBody::new(body, place)))
    }
}

fn overloaded() -> Status {
    status::from_error(Error::Overloaded { retry_after: RETRY_AFTER }, Repeat::Safe)
}

/// A request body whose messages must be complete in time and are counted until they are.
struct Messages {
    body: Body,
    held: HeldBytes,
    message: Message,
    /// Whether a message must be complete at the timeout: the first, and each that has begun.
    is_expected: bool,
    timeout: Pin<Box<Sleep>>,
}

impl Messages {
    fn new(body: Body, held: HeldBytes) -> Self {
        Self { body, held, message: Message::default(), is_expected: true, timeout: Box::pin(sleep(MESSAGE_TIMEOUT)) }
    }

    fn count(&mut self, data: &[u8]) -> Result<()> {
        let messages = self.message.read(data);
        let counted = self.message.arrived.saturating_sub(NOT_COUNTED);
        self.held.shrink(counted);
        self.held.grow(counted - self.held.bytes())?;
        let has_begun = self.message.arrived > 0;
        if has_begun && (messages > 0 || !self.is_expected) {
            self.timeout.as_mut().reset(Instant::now() + MESSAGE_TIMEOUT);
        }
        self.is_expected = has_begun || (self.is_expected && messages == 0);
        Ok(())
    }
}

impl HttpBody for Messages {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            let counted = match &frame {
                Some(Ok(frame)) => frame.data_ref().map_or(Ok(()), |data| self.count(data)),
                Some(Err(_)) | None => Ok(()),
            };
            return Poll::Ready(match counted {
                Ok(()) => frame,
                Err(error) => Some(Err(status::from_error(error, Repeat::Safe))),
            });
        }
        if !self.is_expected {
            return Poll::Pending;
        }
        ready!(self.timeout.as_mut().poll(context));
        Poll::Ready(Some(Err(status::from_error(Error::Deadline, Repeat::Safe))))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
}

/// The message at the end of what has arrived: five bytes of head, the last four of which are the length of what follows.
#[derive(Debug, Default)]
struct Message {
    head: [u8; 5],
    /// Bytes of it that have arrived, with those of its head; 0 between two messages.
    arrived: usize,
}

impl Message {
    /// Reads what arrives; returns how many messages are complete with it.
    fn read(&mut self, mut data: &[u8]) -> usize {
        let mut messages = 0;
        while !data.is_empty() {
            let of_head = self.head.len().saturating_sub(self.arrived);
            let missing = if of_head > 0 { of_head } else { self.length() - self.arrived };
            let (now, rest) = data.split_at(missing.min(data.len()));
            if of_head > 0 {
                self.head[self.arrived..][..now.len()].copy_from_slice(now);
            }
            self.arrived += now.len();
            data = rest;
            if self.arrived >= self.head.len() && self.arrived == self.length() {
                self.arrived = 0;
                messages += 1;
            }
        }
        messages
    }

    /// The length of the whole message, once its head has arrived.
    fn length(&self) -> usize {
        let [_, length @ ..] = self.head;
        self.head.len() + usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX / 2)
    }
}

#[cfg(test)]
mod tests;
