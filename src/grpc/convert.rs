//! What every message has in common: ids, options of mutations, pages, principals.

use aws_lc_rs::digest::{SHA256, digest};
use uuid::Uuid;

use crate::{
    domain::{
        access::caller::Caller,
        requests::{
            options::{Options, Repeatable},
            principal::{Author, Principal},
        },
        values::{
            enums::Role,
            ids::{CustomerId, RequestId},
            violation::{Rule, Violations},
        },
    },
    grpc::{Mutation, pb},
    service::customers::BatchItem,
};

/// Items of a page if none are asked for.
const PAGE: usize = 50;
/// Items of a page at most.
const MAX_PAGE: usize = 1_000;
/// Customers of a batch at most.
const MAX_BATCH: usize = 1_000;

/// The options of a mutation. The place it is done in and the decoded message are what a repeat must be equal in.
pub(super) fn options(violations: &mut Violations, place: &[Uuid], message: &impl Mutation) -> Option<Options> {
    let id = if message.request_id().is_empty() {
        None
    } else {
        Some(violations.check("request_id", RequestId::parse(message.request_id()))?)
    };
    let request = id.filter(|_| !message.validate_only()).map(|id| {
        let mut text: Vec<u8> = place.iter().flat_map(|id| *id.as_bytes()).collect();
        // Maps are encoded in key order, so equal messages have equal bytes.
        message.encode(&mut text).unwrap_or_default();
        let mut fingerprint = [0; 32];
        fingerprint.copy_from_slice(digest(&SHA256, &text).as_ref());
        Repeatable { id, fingerprint }
    });
    let etag = (!message.etag().is_empty()).then(|| message.etag().to_owned());
    Some(Options { etag, request, validate_only: message.validate_only() })
}

/// The same for a caller.
pub(super) fn caller_options(violations: &mut Violations, caller: &Caller, message: &impl Mutation) -> Option<Options> {
    let narrowed = caller.scope().narrowed().map(CustomerId::get).unwrap_or_default();
    options(violations, &[caller.scope().root().get(), narrowed], message)
}

/// How many items a page has.
pub(super) fn page_size(violations: &mut Violations, asked: i32) -> Option<usize> {
    match usize::try_from(asked) {
        Ok(0) => Some(PAGE),
        Ok(size) => Some(size.min(MAX_PAGE)),
        Err(_) => {
            violations.push("page_size", Rule::new("must be 0, which means 50, or more; above 1000 is cut to 1000"));
            None
        }
    }
}

/// A customer's id.
pub(super) fn customer_id(violations: &mut Violations, field: &str, raw: &str) -> Option<CustomerId> {
    violations.check(field, CustomerId::parse(raw))
}

/// The ids of a batch; one that is named again counts once, where it was named first.
pub(super) fn batch(violations: &mut Violations, raw: &[String]) -> Option<Vec<BatchItem>> {
    if raw.is_empty() || raw.len() > MAX_BATCH {
        let rule = Rule::with(format!("must be 1 to {MAX_BATCH} ids; these are {}", raw.len()));
        violations.push("customer_ids", rule);
        return None;
    }
    let mut seen = std::collections::HashSet::with_capacity(raw.len());
    let mut ids = Vec::with_capacity(raw.len());
    for (place, id) in raw.iter().enumerate() {
        if let Some(id) = customer_id(violations, &format!("customer_ids[{place}]"), id)
            && seen.insert(id)
        {
            ids.push(BatchItem { place, id });
        }
    }
    Some(ids)
}

/// A principal that a request names; an empty issuer is the author's.
pub(super) fn principal(
    violations: &mut Violations,
    field: &str,
    author: &Author,
    raw: Option<pb::Principal>,
) -> Option<Principal> {
    let Some(pb::Principal { issuer, subject }) = raw else {
        violations.push(field, Rule::new("must name an issuer and a subject; an empty issuer means your own"));
        return None;
    };
    let issuer = if issuer.is_empty() {
        Some(author.principal.issuer().to_owned())
    } else {
        violations.check(format!("{field}.issuer"), Principal::parse_issuer(&issuer))
    };
    let subject = violations.check(format!("{field}.subject"), Principal::parse_subject(&subject));
    Some(Principal::new(issuer?, subject?))
}

/// A role that a request names; none if it names none.
pub(super) fn role(violations: &mut Violations, field: &str, raw: i32) -> Option<Option<Role>> {
    let known = pb::Role::try_from(raw).ok().map(|role| match role {
        pb::Role::Unspecified => None,
        pb::Role::Viewer => Some(Role::Viewer),
        pb::Role::Member => Some(Role::Member),
        pb::Role::ServiceManager => Some(Role::ServiceManager),
        pb::Role::Admin => Some(Role::Admin),
    });
    if known.is_none() {
        violations.push(field, Rule::new("must be ROLE_VIEWER, ROLE_MEMBER, ROLE_SERVICE_MANAGER or ROLE_ADMIN"));
    }
    known
}

/// A role as it is told.
pub(super) fn role_out(role: Role) -> pb::Role {
    match role {
        Role::Unknown => pb::Role::Unspecified,
        Role::Viewer => pb::Role::Viewer,
        Role::Member => pb::Role::Member,
        Role::ServiceManager => pb::Role::ServiceManager,
        Role::Admin => pb::Role::Admin,
    }
}

/// A principal as it is told.
pub(super) fn principal_out(principal: &Principal) -> pb::Principal {
    pb::Principal { issuer: principal.issuer().to_owned(), subject: principal.subject().to_owned() }
}

/// A point in time as it is told.
pub(super) fn time_out(at: crate::domain::values::timestamp::Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    prost_types::Timestamp { seconds: at.timestamp(), nanos }
}

/// Whether all of a customer is asked for.
pub(super) fn is_full(view: i32) -> Result<bool, Rule> {
    match pb::CustomerView::try_from(view) {
        Ok(pb::CustomerView::Unspecified | pb::CustomerView::Basic) => Ok(false),
        Ok(pb::CustomerView::Full) => Ok(true),
        Err(_) => Err(Rule::new("must be CUSTOMER_VIEW_BASIC or CUSTOMER_VIEW_FULL")),
    }
}
