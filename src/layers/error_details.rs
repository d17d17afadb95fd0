//! Every error of the contract has an `ErrorInfo`, also those that tonic makes before a handler is reached: bytes that
//! are no message, a message that is too large, a path that is no RPC. It looks only at answers that are an error from
//! their head on; a unary error always is.

use http::{HeaderMap, Request, Response};
use tonic::{Code, Status, body::Body};

use super::{Around, CONTRACT, Inner};
use crate::grpc::{pb::ErrorReason, status};

/// Gives tonic's own errors their details.
#[derive(Clone, Copy, Debug)]
pub struct AddErrorDetails;

impl Around for AddErrorDetails {
    fn around<S: Inner>(
        self,
        inner: S,
        request: Request<Body>,
    ) -> impl Future<Output = Response<Body>> + Send + 'static {
        let ours = request.uri().path().starts_with(CONTRACT);
        let call = inner.run(request);
        async move {
            let response = call.await;
            if ours { completed(response.headers()).map_or(response, Status::into_http) } else { response }
        }
    }
}

/// The whole error, if the headers hold one without details.
fn completed(headers: &HeaderMap) -> Option<Status> {
    let code = Code::from_bytes(headers.get(Status::GRPC_STATUS)?.as_bytes());
    if code == Code::Ok || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return None;
    }
    let bare = Status::from_header_map(headers)?;
    Some(match code {
        // The caller hung up while it sent: nobody reads the answer.
        Code::Cancelled => return None,
        // tonic's word for bytes that do not decode, and for a message that is missing; ours for a fault is never bare.
        Code::Internal => status::bare(
            Code::InvalidArgument,
            ErrorReason::MessageMalformed,
            "The request's bytes are not the message that this RPC takes. Build it from this server's protos.",
        ),
        Code::OutOfRange | Code::ResourceExhausted => status::bare(
            Code::ResourceExhausted,
            ErrorReason::MessageTooLarge,
            "The message is larger than the server takes. Split the request.",
        ),
        // The gRPC protocol asks for this code and for the header that names the compressions that would do.
        Code::Unimplemented if headers.contains_key(ACCEPT_ENCODING) => {
            let mut refused = status::bare(
                Code::Unimplemented,
                ErrorReason::MessageMalformed,
                "The server does not take this compression. The header grpc-accept-encoding says which it takes.",
            );
            *refused.metadata_mut() = bare.metadata().clone();
            refused
        }
        Code::Unimplemented => status::bare(
            Code::Unimplemented,
            ErrorReason::RpcUnknown,
            "There is no such RPC. Look at this server's protos.",
        ),
        _ => {
            let mut internal = status::bare(Code::Internal, ErrorReason::Internal, status::INTERNAL);
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

    async fn complete(path: &str, bare: Status) -> Response<Body> {
        run(AddErrorDetails, request(path), move |_| {
            let bare = bare.clone();
            async { bare.into_http() }
        })
        .await
    }

    #[tokio::test]
    async fn what_tonic_answers_by_itself_gets_a_reason() {
        for (bare, complete_code, complete_reason) in [
            (Status::internal("failed to decode"), Code::InvalidArgument, "MESSAGE_MALFORMED"),
            (Status::out_of_range("too large"), Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            (Status::resource_exhausted("decompresses to too much"), Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
            (Status::unimplemented(""), Code::Unimplemented, "RPC_UNKNOWN"),
            (Status::data_loss("?"), Code::Internal, "INTERNAL"),
        ] {
            let answer = complete(READ, bare).await;
            assert_eq!((code(&answer), reason(&answer).as_str()), (complete_code, complete_reason));
        }
    }

    #[tokio::test]
    async fn an_unknown_compression_keeps_the_header_that_names_those_that_would_do() {
        let mut bare = Status::unimplemented("compressed");
        bare.metadata_mut().insert(ACCEPT_ENCODING, "gzip".parse().unwrap());
        let answer = complete(READ, bare).await;
        assert_eq!((code(&answer), reason(&answer).as_str()), (Code::Unimplemented, "MESSAGE_MALFORMED"));
        assert_eq!(answer.headers()[ACCEPT_ENCODING], "gzip");
    }

    #[tokio::test]
    async fn an_error_with_details_stays_as_it_is() {
        let whole = status::bare(Code::Internal, ErrorReason::Internal, status::INTERNAL);
        let answer = complete(READ, whole).await;
        assert_eq!((code(&answer), reason(&answer).as_str()), (Code::Internal, "INTERNAL"));
    }

    #[tokio::test]
    async fn answers_of_others_and_successes_stay_as_they_are() {
        let health = complete("/grpc.health.v1.Health/Check", Status::not_found("service not registered")).await;
        assert_eq!((code(&health), reason(&health).as_str()), (Code::NotFound, ""));
        let success = run(AddErrorDetails, request(READ), |_| async { Response::new(Body::empty()) }).await;
        assert!(success.headers().is_empty());
    }
}
