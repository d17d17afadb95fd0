//! The messages of errors: what is wrong and what to do. Every text is constant, or made of what the caller sent or may
//! see, cut to a length: no SQL, no table, no host, no data of another customer.

use std::{borrow::Cow, fmt};

use crate::{
    domain::{
        refusal::Refusal,
        values::{
            enums::Role,
            violation::{Rule, Violations},
        },
    },
    error::Error,
};

/// The message of a fault of ours.
pub const INTERNAL: &str = "Internal error. The server's log has the cause under this call's trace id.";
/// Longest list of names or fields, in bytes.
const LIST: usize = 600;
/// Longest field path, in bytes: it may contain keys that the caller chose.
pub(super) const FIELD: usize = 200;
/// Longest rule, in bytes.
pub(super) const RULE: usize = 400;

/// The rule that too many custom IDs break.
pub(super) const TOO_MANY_CUSTOM_IDS: Rule = Rule::new("must be at most 20 per customer; clear one first");

/// The message of an error.
pub(super) fn text(error: &Error) -> Cow<'static, str> {
    let constant = match error {
        Error::TokenInvalid(why) => return format!("The token is refused: {why}.").into(),
        Error::RoleTooLow(least) => return role_too_low(*least),
        Error::Invalid(violations) => return summary(violations).into(),
        Error::Refused { refusal, .. } => return refused(refusal),
        Error::NameTaken { free } => return name_taken(free).into(),
        Error::TokenMissing => "Send a token in the header authorization: Bearer TOKEN.",
        Error::NotAMember => "You are not a member of any account here. Ask an ADMIN of the account to add you.",
        Error::AccountRequired => "You are a member of several accounts. Name one in the header clientele-account.",
        Error::TenantRequired => "Name the tenant in which you act in the header clientele-tenant.",
        Error::NotAnOperator => "Only platform operators, which the server's configuration lists, may do this.",
        Error::PageToken => "The page token belongs to another query or account. Start again without a token.",
        Error::RequestIdReused => "This request_id was used for another request or acting account. Use a new one.",
        Error::AnswerOfNewerRelease => {
            "A server of a newer release answered the first call with this request_id. Nothing was done again. Send the same \
             request to a server of that release."
        }
        Error::RequestInFlight => "The first call with this request_id is still running. Send the same request again.",
        Error::CustomerNotFound { .. } => "Customer not found, or not visible to the acting account.",
        Error::AccountNotFound => "Account not found, or not one that you can act in.",
        Error::CustomIdTaken { .. } => "Another customer has this custom ID in this account and system.",
        Error::LookupAmbiguous => "Several customers have this custom ID in different systems. Name the system.",
        Error::AnswerTooLarge => {
            "The response is larger than clients accept. Ask for fewer items, or for the view BASIC."
        }
        Error::OrderReferenceTaken => "Another customer of the account has this order reference.",
        Error::MemberExists => "The principal is already a member of the account.",
        Error::TagNotFound => "The acting account has no such tag.",
        Error::TagExists => "The acting account already has a tag with this name.",
        Error::BranchNotFound => "The acting account has no such branch.",
        Error::BranchExists => "The acting account already has a branch with this name.",
        Error::EtagMismatch { .. } => {
            "The customer has changed since you read this etag. Read it again and decide again."
        }
        Error::Contended | Error::LostRace => {
            "The record is being changed by other calls. Nothing was written. Retry after the delay."
        }
        Error::Deadline => "The deadline passed. A write may still happen: repeat the call with the same request_id.",
        Error::Overloaded { .. } => "The server is overloaded. Retry after the delay.",
        Error::RateLimited { .. } => "Rate limit exceeded. Retry after the delay.",
        Error::ShuttingDown => "This server is shutting down. Another server will take the call.",
        Error::IssuerUnavailable(_) => {
            "The issuer's signing keys are unavailable. Nothing was done. Retry after the delay."
        }
        Error::Unavailable { .. } => {
            "The database is unavailable. A write may have happened: repeat the call with the same request_id."
        }
        Error::Database(_) | Error::Internal(_) => INTERNAL,
    };
    constant.into()
}

fn refused(refusal: &Refusal) -> Cow<'static, str> {
    match refusal {
        Refusal::RoleTooLow(least) => role_too_low(*least),
        Refusal::FleetOwnedElsewhere => {
            "Only the account that owns this customer, and those above it, may do this.".into()
        }
        Refusal::RequiredToCreate(paths) => {
            format!("The account requires these fields: {}.", listed(paths, ", ")).into()
        }
        Refusal::RequiredToApprove(paths) => {
            format!("Fill in these fields before approval: {}.", listed(paths, ", ")).into()
        }
        Refusal::Archived => "The customer is archived. Unarchive it first.".into(),
        Refusal::IllegalTransition(why) => format!("The customer's status does not allow this: {why}.").into(),
        Refusal::BreaksRule(field, rule) => {
            format!("Together with the stored values, {} {}.", field, cut(rule.text(), RULE)).into()
        }
        Refusal::TooManyCustomIds => {
            format!("Together with the stored ones, custom_ids {}.", TOO_MANY_CUSTOM_IDS.text()).into()
        }
        Refusal::Narrowed => {
            "The header clientele-customer narrows the call to one customer, and this RPC changes something else."
                .into()
        }
        Refusal::LimitReached(limit) => format!("A limit is reached: {limit}.").into(),
        Refusal::TreeTooDeep => {
            "The tree of accounts is at most 8 levels deep. Create the account at a higher level.".into()
        }
        Refusal::Blocked(blocker) => blocker.text().into(),
        Refusal::ValueOfNewerRelease(what) | Refusal::RoleOfNewerRelease(what) => format!(
            "A newer release stored {what}, and this server does not know the value. Use a server of the newer release."
        )
        .into(),
    }
}

fn role_too_low(least: Role) -> Cow<'static, str> {
    format!("Your role in the acting account is too low: {} or above is required.", least.as_str()).into()
}

fn name_taken(free: &[String]) -> String {
    let free = listed(free, ", ");
    let hint = if free.is_empty() { String::new() } else { format!(" These are free: {free}.") };
    format!("Another customer has this name.{hint}")
}

fn summary(violations: &Violations) -> String {
    let Some((first, others)) = violations.all().split_first() else { return "A field is invalid.".to_owned() };
    let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
    format!("{} {}{more}.", cut(&first.field, FIELD), cut(first.rule.text(), RULE))
}

/// A list of as many whole items as fit.
pub(super) fn listed<T: fmt::Display>(items: &[T], separator: &str) -> String {
    let mut list = String::new();
    for item in items.iter().map(ToString::to_string) {
        if list.len() + separator.len() + item.len() > LIST {
            break;
        }
        if !list.is_empty() {
            list.push_str(separator);
        }
        list.push_str(&item);
    }
    list
}

/// The beginning of a text, at most so many bytes.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}
