//! Adds an `ErrorInfo` to the errors that tonic makes before a handler runs: bytes that do not decode, a message that is too
//! large, an unknown RPC. So every error of the contract has one. It reads only the response's head, which has the status of
//! every unary error.

use http::{HeaderMap, Request, Response};
use tonic::{Code, Status, body::Body};

use super::call_layer::{CONTRACT_PREFIX, CallLayer, Inner};
use crate::grpc::{pb::ErrorReason, status};

/// Adds the details to tonic's own errors.
#[derive(Clone, Copy, Debug)]
pub struct AddErrorDetails;

impl CallLayer for AddErrorDetails {
    fn handle<S: Inner>(
        self,
        inner: S,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let of_contract = request.uri().path().starts_with(CONTRACT_PREFIX);
        let call = inner.run(request);
        async move {
            let response = call.await;
            if of_contract { with_details(response.headers()).map_or(response, Status::into_http) } else { response }
        }
    }
}

/// Returns the error with details, if the headers have an error without.
fn with_details(headers: &HeaderMap) -> Option<Status> {
    let code = Code::from_bytes(headers.get(Status::GRPC_STATUS)?.as_bytes());
    if code == Code::Ok || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return None;
    }
    let bare = Status::from_header_map(headers)?;
    Some(match code {
        // The caller hung up while it was sending: no one reads the response.
        Code::Cancelled => return None,
        // tonic's code for bytes that do not decode, and for a missing message. Our own INTERNAL errors have details.
        Code::Internal => status::without_cause(
            Code::InvalidArgument,
            ErrorReason::MessageMalformed,
            "The request cannot be decoded as this RPC's message. Build it from this server's protos.",
        ),
        Code::OutOfRange | Code::ResourceExhausted => status::without_cause(
            Code::ResourceExhausted,
            ErrorReason::MessageTooLarge,
            "The message is larger than the server accepts. Split the request.",
        ),
        // The gRPC protocol requires this code, and the header with the supported compressions.
        Code::Unimplemented if headers.contains_key(ACCEPT_ENCODING) => {
            let mut unsupported = status::without_cause(
                Code::Unimplemented,
                ErrorReason::MessageMalformed,
                "The server does not support this compression. The header grpc-accept-encoding names those it supports.",
            );
            *unsupported.metadata_mut() = bare.metadata().clone();
            unsupported
        }
        Code::Unimplemented => status::without_cause(Code::Unimplemented, ErrorReason::RpcUnknown, status::RPC_UNKNOWN),
        _ => {
            let mut internal = status::without_cause(Code::Internal, ErrorReason::Internal, status::INTERNAL);
            internal.set_source(std::sync::Arc::new(bare));
            internal
        }
    })
}

const ACCEPT_ENCODING: &str = "grpc-accept-encoding";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layers::samples::{READ, code, reason, request, run};

    async fn add_details(path: &str, bare: Status) -> Response<Body> {
        run(AddErrorDetails, request(path), move |_| {
            let bare = bare.clone();
            async { bare.into_http() }
        })
        .await
    }

    #[tokio::test]
    async fn an_error_that_tonic_makes_gets_a_reason() {
        for (bare, expected_code, expected_reason) in [
            (Status::internal("failed to decode"), Code::InvalidArgument, "MESSAGE_MALFORMED"),
            (Status::out_of_range("too large"), Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            (Status::resource_exhausted("decompresses to too much"), Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            (Status::unimplemented(""), Code::Unimplemented, "RPC_UNKNOWN"),
            (Status::data_loss("?"), Code::Internal, "INTERNAL"),
        ] {
            let answer = add_details(READ, bare).await;
            assert_eq!((code(&answer), reason(&answer).as_str()), (expected_code, expected_reason));
        }
    }

    #[tokio::test]
    async fn an_unknown_compression_keeps_the_header_with_the_supported_ones() {
        let mut bare = Status::unimplemented("compressed");
        bare.metadata_mut().insert(ACCEPT_ENCODING, "gzip".parse().unwrap());
        let answer = add_details(READ, bare).await;
        assert_eq!((code(&answer), reason(&answer).as_str()), (Code::Unimplemented, "MESSAGE_MALFORMED"));
        assert_eq!(answer.headers()[ACCEPT_ENCODING], "gzip");
    }

    #[tokio::test]
    async fn an_error_with_details_stays_as_it_is() {
        let whole = status::without_cause(Code::Internal, ErrorReason::Internal, status::INTERNAL);
        let answer = add_details(READ, whole).await;
        assert_eq!((code(&answer), reason(&answer).as_str()), (Code::Internal, "INTERNAL"));
    }

    #[tokio::test]
    async fn responses_of_other_services_and_successes_stay_as_they_are() {
        let health = add_details("/grpc.health.v1.Health/Check", Status::not_found("service not registered")).await;
        assert_eq!((code(&health), reason(&health).as_str()), (Code::NotFound, ""));
        let success = run(AddErrorDetails, request(READ), |_| async { Response::new(Body::empty()) }).await;
        assert!(success.headers().is_empty());
    }
}
