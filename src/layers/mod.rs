//! The layers around every call, from the outside in. `server` adds them in this order:
//!
//! Where gRPC-Web is served, `grpc_web` is outside all: further in there is gRPC alone.
//!
//! 0. `workload`: outside `trace`, which logs the calling workload; it never fails.
//! 1. `trace`: outside everything that may reject a call, so that every call, also one that is rejected or dropped, has its
//!    access line and its trace.
//!    Inside it `content_type` refuses what is no gRPC.
//! 2. `panic`: inside `trace`, so that a panic has an access line too; outside everything that may panic.
//! 3. `error_details`: adds the details that every error has to the errors that tonic makes itself.
//! 4. `deadline`: outside everything that may wait.
//! 5. `verify`: verifies the token, and the principal's rate limit (`rate`). It needs no database. Nothing is held or done for an
//!    unknown caller; all further in know whose share they take.
//! 6. `receive`: receives the whole message; its bytes are counted as they arrive. Outside admission, so that half a message holds
//!    no permit.
//! 7. `admission`: inside the deadline, because a call may wait here; outside everything that may ask the database.
//! 8. `detach`: outside everything that may ask the database, so that a caller that gives up interrupts no statement; inside
//!    admission, so that a call keeps its permit, and the bytes of its message, until its work has ended.
//! 9. `access`: checks the caller's rights: the acting account and its role. It may ask the database.
//! 10. `respond`: encodes the answer inside the call's task, and counts its bytes until the peer has taken them (`untaken`).
//!
//! Health and reflection have a layer of their own around their services (`tokenless`), which need neither token nor permit;
//! health another one, which says why the server is not ready (`not_ready`).
//!
//! A layer is one function around a call (`call_layer`); the tower traits are implemented once, there.

pub mod access;
mod active_requests;
mod admission;
mod call_layer;
mod content_type;
mod deadline;
mod detach;
mod error_details;
mod grpc_web;
mod jwks;
mod kept_body;
mod not_ready;
mod panic;
mod peers;
mod receive;
mod respond;
#[cfg(test)]
pub(crate) mod samples;
pub mod token;
pub mod tokenless;
mod trace;
mod untaken;
mod verify;
mod workload;

pub use access::CheckAccess;
pub use active_requests::ActiveRequests;
pub use admission::{Admission, InFlight};
pub use call_layer::{CallLayer, Inner, IntoTower, LayeredService};
pub use content_type::ContentType;
pub use deadline::{Deadline, DeadlineLayer};
pub use detach::Detach;
pub use error_details::AddErrorDetails;
pub use grpc_web::GrpcWeb;
pub use kept_body::KeptBody;
pub use not_ready::{NOT_READY, SayWhyNotReady};
pub use panic::PanicGuard;
pub use peers::{PeerLimit, PeerPlace};
pub use receive::Receive;
pub use respond::Respond;
pub use trace::{Trace, TraceInfo};
pub use untaken::EndUntaken;
pub use verify::VerifyToken;
pub use workload::{Peer, WorkloadIdentity};
