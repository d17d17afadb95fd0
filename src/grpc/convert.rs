//! Conversions that several services share: ids, pages, principals, roles, times.

use std::collections::HashSet;

use crate::{
    domain::{
        access::membership::Membership,
        fields::field::View,
        requests::principal::{Author, Principal},
        values::{
            enums::Role,
            ids::CustomerId,
            rule_code::RuleCode,
            timestamp::Timestamp,
            violation::{Rule, Violations},
        },
    },
    grpc::pb,
    service::customers::BatchItem,
};

/// Default page size.
const DEFAULT_PAGE_SIZE: usize = 50;
/// Largest page size.
const MAX_PAGE_SIZE: usize = 1_000;
/// Largest batch of customers.
const MAX_BATCH: usize = 1_000;

/// The page size that a request asks for, within the limits.
pub(super) fn page_size(violations: &mut Violations, asked: i32) -> Option<usize> {
    match usize::try_from(asked) {
        Ok(0) => Some(DEFAULT_PAGE_SIZE),
        Ok(size) => Some(size.min(MAX_PAGE_SIZE)),
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

/// The ids of a batch. A repeated id counts once, at its first index.
pub(super) fn batch(violations: &mut Violations, raw: &[String]) -> Option<Vec<BatchItem>> {
    if raw.is_empty() || raw.len() > MAX_BATCH {
        let rule = Rule::with(format!("must be 1 to {MAX_BATCH} ids; these are {}", raw.len()));
        violations.push("customer_ids", rule);
        return None;
    }
    let mut seen = HashSet::with_capacity(raw.len());
    let mut ids = Vec::with_capacity(raw.len());
    for (index, id) in raw.iter().enumerate() {
        if let Some(id) = customer_id(violations, &format!("customer_ids[{index}]"), id)
            && seen.insert(id)
        {
            ids.push(BatchItem { index, id });
        }
    }
    Some(ids)
}

/// A principal that a request names. An empty issuer means the author's.
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

/// A role that a request names; the inner option is none if the request leaves it unset.
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

/// The rule that a path of an update mask breaks if the update does not write it. `fixed` has the other fields of the message, each
/// with what changes it, or why nothing does; `writable` says what a mask may name.
pub(super) fn not_writable(path: &str, fixed: &[(&str, &str)], writable: &str) -> Rule {
    let head = path.split(['.', '[']).next().unwrap_or_default();
    match fixed.iter().find(|(field, _)| *field == head) {
        Some((field, why)) => Rule::with(format!("must not name {field}: {why}")),
        None => Rule::with(format!("must be {writable}")),
    }
}

/// Converts a role to its enum.
pub(super) fn role_out(role: Role) -> pb::Role {
    match role {
        Role::Unknown => pb::Role::Unspecified,
        Role::Viewer => pb::Role::Viewer,
        Role::Member => pb::Role::Member,
        Role::ServiceManager => pb::Role::ServiceManager,
        Role::Admin => pb::Role::Admin,
    }
}

/// Converts a membership to its message.
pub(super) fn membership_out(membership: &Membership) -> pb::Membership {
    pb::Membership {
        tenant_id: membership.tenant.to_string(),
        account_id: membership.account.to_string(),
        account_name: membership.account_name.clone(),
        role: role_out(membership.role).into(),
        member_id: membership.member.to_string(),
        waiting: membership.waiting,
        tenant_suspended: membership.tenant_suspended,
    }
}

/// Converts the code of a rule to its enum.
pub(super) fn field_rule(code: RuleCode) -> pb::FieldRule {
    pb::FieldRule::from_str_name(&format!("FIELD_RULE_{}", code.as_str())).unwrap_or_default()
}

/// Converts a principal to its message.
pub(super) fn principal_out(principal: &Principal) -> pb::Principal {
    pb::Principal { issuer: principal.issuer().to_owned(), subject: principal.subject().to_owned() }
}

/// Converts a timestamp to its message.
pub(super) fn time_out(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.timestamp_subsec_nanos()).unwrap_or_default();
    prost_types::Timestamp { seconds: at.timestamp(), nanos }
}

/// The view that a request asks for.
pub(super) fn view(raw: i32) -> Result<View, Rule> {
    match pb::CustomerView::try_from(raw) {
        Ok(pb::CustomerView::Unspecified | pb::CustomerView::Basic) => Ok(View::Basic),
        Ok(pb::CustomerView::Full) => Ok(View::Full),
        Err(_) => Err(Rule::new("must be CUSTOMER_VIEW_BASIC or CUSTOMER_VIEW_FULL")),
    }
}
