//! The details of a status: within the size that clients accept, and as bytes that are the same for the same refusal.

use std::collections::{BTreeMap, HashMap};

use prost::Message;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt as _, pb};

use super::message::{MAX_FIELD, MAX_RULE, truncate, wire_size};
use crate::{domain::values::violation::Violations, grpc::pb::ErrorReason};

/// The domain of every `ErrorInfo`.
const DOMAIN: &str = "clientele";
/// Maximum size of message and details on the wire: clients reject trailers of more than 8 KiB.
pub(super) const MAX_SIZE: usize = 4096;

/// `google.rpc.ErrorInfo` with its metadata in the order of the keys. The library's own keeps them in a `HashMap`, whose order is
/// another one each time.
#[derive(Clone, PartialEq, Message)]
struct ErrorInfo {
    #[prost(string, tag = "1")]
    reason: String,
    #[prost(string, tag = "2")]
    domain: String,
    #[prost(btree_map = "string, string", tag = "3")]
    metadata: BTreeMap<String, String>,
}

/// The type of the detail in `google.protobuf.Any`.
const ERROR_INFO: &str = "type.googleapis.com/google.rpc.ErrorInfo";

/// The same status, with the metadata of its `ErrorInfo` in the order of the keys.
pub(super) fn in_order(status: Status) -> Status {
    let Ok(mut whole) = pb::Status::decode(status.details()) else { return status };
    for detail in whole.details.iter_mut().filter(|detail| detail.type_url == ERROR_INFO) {
        if let Ok(info) = ErrorInfo::decode(detail.value.as_slice()) {
            detail.value = info.encode_to_vec();
        }
    }
    Status::with_details(status.code(), status.message(), whole.encode_to_vec().into())
}

/// The details with a reason and its metadata.
pub(super) fn error_info(reason: ErrorReason, metadata: HashMap<String, String>) -> ErrorDetails {
    let name = reason.as_str_name();
    ErrorDetails::with_error_info(name.strip_prefix("ERROR_REASON_").unwrap_or(name), DOMAIN, metadata)
}

/// Adds every violation, or as many as fit and the number of the others.
pub(super) fn with_violations(code: Code, message: &str, details: &ErrorDetails, violations: &Violations) -> Status {
    let mut size = 0;
    let candidates: Vec<FieldViolation> = violations
        .all()
        .iter()
        .map(|violation| {
            let field = truncate(&violation.field, MAX_FIELD);
            FieldViolation {
                reason: violation.rule.code().as_str().to_owned(),
                ..FieldViolation::new(field, truncate(violation.rule.text(), MAX_RULE))
            }
        })
        // More never fit, by their texts alone.
        .take_while(|violation| {
            size += violation.field.len() + violation.description.len() + violation.reason.len();
            size <= MAX_SIZE
        })
        .collect();
    let all = violations.all().len();
    let with_first = |count: usize| {
        let mut listed = candidates[..count].to_vec();
        if count < all {
            listed.push(FieldViolation::new("", format!("and {} more", all - count)));
        }
        let mut details = details.clone();
        details.set_bad_request(listed);
        Status::with_error_details(code, message, details)
    };
    let complete = with_first(candidates.len());
    if wire_size(&complete) <= MAX_SIZE {
        return complete;
    }
    let counts: Vec<usize> = (1..candidates.len()).collect();
    with_first(counts.partition_point(|count| wire_size(&with_first(*count)) <= MAX_SIZE))
}
