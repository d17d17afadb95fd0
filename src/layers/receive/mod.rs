//! Receives the whole message of a call, before the call takes a place or is done anything for: a caller that sends half a message,
//! or sends it slowly, holds nothing but the bytes that have arrived, and those for a limited time. Handlers get a message that is
//! complete.
//!
//! Counted is what the call costs in memory (`service::bytes`), on the account of the principal that the token proved: a fixed
//! part and the headers from the start, the message as it arrives, and what decoding makes of it when it is complete. The fixed
//! part bounds how many messages one principal may have half sent.
//!
//! All RPCs of the contract have one message. Health and reflection pass.

use std::{sync::Arc, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt as _, Full};
use tokio::time::timeout;
use tonic::{Status, body::Body};

use super::{
    active_requests::ActiveRequests,
    call_layer::{CallLayer, Inner},
    verify::share_of,
};
use crate::{
    domain::requests::contract,
    error::Error,
    grpc::{
        self,
        status::{self, Repeat},
    },
    service::bytes::{ByteBudget, HeldBytes},
};

/// The gRPC prefix of a message: a flag, and the length in four bytes.
const PREFIX: usize = 5;
/// What a call costs beside its headers and its message: a stream, and the state of the layers.
const CALL: usize = 8 * 1024;
/// What a header costs beside its text, as HTTP/2 counts it.
const HEADER: usize = 32;
/// How often a message's bytes are in memory while its call runs: as received, in the decoder, decoded, and parsed.
const COPIES: usize = 4;
/// The prefix of a message that is longer than any. Decoding it fails as decoding the whole would, at the same step of the call.
const TOO_LARGE: Bytes = Bytes::from_static(&[0, u8::MAX, u8::MAX, u8::MAX, u8::MAX]);

/// Receives messages.
#[derive(Clone)]
pub struct Receive {
    budget: ByteBudget,
    /// How long a message may take to arrive.
    limit: Duration,
    active: ActiveRequests,
}

/// What a call's message costs in memory, in the request's extensions; given back when the last clone is dropped.
#[derive(Clone, Debug)]
pub(super) struct MessageCost(pub(super) Arc<HeldBytes>);

impl Receive {
    /// A message must be complete within `limit`. Its bytes are counted in `budget`, its call in `active`.
    #[must_use]
    pub fn new(budget: ByteBudget, limit: Duration, active: &ActiveRequests) -> Self {
        Self { budget, limit, active: active.clone() }
    }
}

impl CallLayer for Receive {
    async fn handle<S: Inner>(self, inner: S, request: Request<Body>) -> Response<Body> {
        if contract::rpc(request.uri().path()).is_none() {
            return inner.run(request).await;
        }
        // A stopping server waits for it.
        let _active = self.active.start();
        let mut cost = self.budget.holder(share_of(&request));
        let (mut parts, body) = request.into_parts();
        let receiving = async {
            hold(&mut cost, CALL + size(&parts.headers))?;
            let message = collect(body, &mut cost).await?;
            let decoded = grpc::decoding_cost(parts.uri.path(), message.get(PREFIX..).unwrap_or_default());
            // However often it were sent, there would be no room for it, or none for what it reads and for its answer.
            let share = self.budget.share();
            if decoded > share / 4 * 3 || cost.bytes() + decoded > share {
                return Ok(TOO_LARGE);
            }
            hold(&mut cost, decoded)?;
            Ok(message)
        };
        let received = timeout(self.limit, receiving).await;
        let received = received.unwrap_or_else(|_| Err(refused(Error::MessageIncomplete { within: self.limit })));
        match received {
            Ok(message) => {
                parts.extensions.insert(MessageCost(Arc::new(cost)));
                inner.run(Request::from_parts(parts, Body::new(Full::new(message)))).await
            }
            Err(refused) => refused.into_http(),
        }
    }
}

/// Collects the body. It ends early where it is too large. Trailers are left out: a gRPC request has none.
async fn collect(mut body: Body, cost: &mut HeldBytes) -> Result<Bytes, Status> {
    // Copied: a frame's bytes are a slice of the connection's buffer, and would keep all of it.
    let mut message = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if message.len() + data.len() > PREFIX + grpc::MAX_REQUEST {
            return Ok(TOO_LARGE);
        }
        hold(cost, COPIES * data.len())?;
        message.put(data);
        if announced(&message).is_some_and(|length| length > grpc::MAX_REQUEST) {
            return Ok(TOO_LARGE);
        }
    }
    Ok(message.freeze())
}

/// The length that the message's prefix announces, once it is there.
fn announced(message: &[u8]) -> Option<usize> {
    let (_, length) = message.first_chunk::<PREFIX>()?.split_first_chunk::<1>()?;
    usize::try_from(u32::from_be_bytes(length.try_into().ok()?)).ok()
}

fn size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| HEADER + name.as_str().len() + value.len()).sum()
}

fn hold(cost: &mut HeldBytes, bytes: usize) -> Result<(), Status> {
    cost.grow(bytes).map_err(refused)
}

/// Nothing was done, so any call may be sent again.
fn refused(error: Error) -> Status {
    status::from_error(error, Repeat::Safe)
}

#[cfg(test)]
mod tests;
