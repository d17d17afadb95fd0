//! A message as frames for the connection.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::Frame;

use crate::{
    layers::untaken::{Untaken, UntakenFrame},
    service::bytes::HeldBytes,
};

/// Largest frame. It is also the least that HTTP/2 allows a peer to set as its own limit.
pub(super) const FRAME: usize = 16 * 1024;

/// A message on its way to the peer.
pub(super) struct Frames {
    /// The frames that the connection does not have yet.
    waiting: VecDeque<Box<[u8]>>,
    /// Counts those frames.
    held: HeldBytes,
    untaken: Option<Arc<Untaken>>,
}

impl Frames {
    /// Copies the message: its buffer is larger than the message, and would be freed only as a whole.
    pub(super) fn new(message: &[u8], held: HeldBytes) -> Self {
        Self { waiting: message.chunks(FRAME).map(Box::from).collect(), held, untaken: None }
    }

    /// The next frame. Its bytes are given back when the connection drops it.
    pub(super) fn next(&mut self) -> Option<Frame<Bytes>> {
        let bytes = self.waiting.pop_front()?;
        let held = self.held.split(if self.waiting.is_empty() { usize::MAX } else { bytes.len() });
        let frame = self.untaken.get_or_insert_with(Untaken::of_this_stream).count();
        Some(Frame::data(Bytes::from_owner(SentBytes { bytes, _held: held, _frame: frame })))
    }

    /// Whether the connection has all.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Waits until the peer has taken all frames that the connection has.
    pub(super) fn poll_taken(&self, context: &Context<'_>) -> Poll<()> {
        self.untaken.as_ref().map_or(Poll::Ready(()), |untaken| untaken.poll_taken(context))
    }
}

/// The bytes of a frame that the connection has.
struct SentBytes {
    bytes: Box<[u8]>,
    _held: HeldBytes,
    _frame: UntakenFrame,
}

impl AsRef<[u8]> for SentBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
