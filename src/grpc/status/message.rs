//! What people read of a failure: what is wrong and what to do. Every text is constant, or made of what the caller sent
//! or may see, cut to a length: no SQL, no table, no host, nothing of another customer.

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

/// What a client hears of a fault of ours.
pub const INTERNAL: &str = "A fault of the server. Its log has the cause under the call's trace id.";
/// Longest list of names or fields, in bytes.
const LIST: usize = 600;
/// Longest field path, in bytes: it may hold keys that the caller chose.
pub(super) const FIELD: usize = 200;
/// Longest rule, in bytes.
pub(super) const RULE: usize = 400;

/// What custom IDs beyond the limit break.
pub(super) const TOO_MANY_CUSTOM_IDS: Rule = Rule::new("must be at most 20 of one customer; clear one first");

/// The message of an error.
pub(super) fn of(error: &Error) -> Cow<'static, str> {
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
        Error::NotAnOperator => "Only a platform operator of this server's configuration may do this.",
        Error::PageToken => "The page token is not of this query in this account. Begin again without one.",
        Error::RequestIdReused => "This request_id came before with another request or acting account. Take a new one.",
        Error::AnswerOfNewerRelease => {
            "A server of a newer release answered the first call with this request_id. Nothing was done again. Send the same to a \
             server of that release."
        }
        Error::RequestInFlight => "The first call with this request_id is still running. Send the same again.",
        Error::CustomerNotFound { .. } => "There is no such customer in the acting account's sight.",
        Error::AccountNotFound => "There is no such account in your reach.",
        Error::CustomIdTaken { .. } => "Another customer has this custom ID in this account and system.",
        Error::LookupAmbiguous => "Different customers are called so in different systems. Name a system.",
        Error::AnswerTooLarge => "The answer would be larger than clients take. Ask for fewer, or for the view BASIC.",
        Error::OrderReferenceTaken => "Another customer of the account came from this order.",
        Error::MemberExists => "The principal is a member of the account already.",
        Error::TagNotFound => "The acting account has no such tag.",
        Error::TagExists => "The acting account has a tag of this name already.",
        Error::BranchNotFound => "The acting account has no such branch.",
        Error::BranchExists => "The acting account has a branch of this name already.",
        Error::EtagMismatch { .. } => "The customer changed since its etag was read. Read it again and decide anew.",
        Error::Contended => "Too many write to this record at once. Nothing was written; try again.",
        Error::Deadline => "The deadline passed. A write may still take place: repeat it with the same request_id.",
        Error::Overloaded { .. } => "The server has all the work that it takes. Try again after the delay.",
        Error::RateLimited { .. } => "You call more often than one caller may. Try again after the delay.",
        Error::ShuttingDown => "This server is stopping. Another one takes the call.",
        Error::IssuerUnavailable(_) => "The keys of the token's issuer cannot be had. Nothing was done; try again.",
        Error::Unavailable { .. } => {
            "The database cannot be reached. Nothing is promised of a write: repeat it with the same request_id."
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
            format!("With what is there already, {} {}.", field, cut(rule.text(), RULE)).into()
        }
        Refusal::TooManyCustomIds => {
            format!("With those that are there, custom_ids {}.", TOO_MANY_CUSTOM_IDS.text()).into()
        }
        Refusal::Narrowed => {
            "The call is narrowed to one customer by the header clientele-customer, and this changes something else."
                .into()
        }
        Refusal::LimitReached(limit) => format!("There is no room for it: {limit}.").into(),
        Refusal::TreeTooDeep => "The tree of accounts is at most 8 deep. Create the account further up.".into(),
        Refusal::Blocked(blocker) => blocker.text().into(),
        Refusal::ValueOfNewerRelease(what) | Refusal::RoleOfNewerRelease(what) => format!(
            "A newer release stored {what}, and this server does not know the value. Use a server of the newer release."
        )
        .into(),
    }
}

fn role_too_low(least: Role) -> Cow<'static, str> {
    format!("Your role in the acting account is too low: this takes {} or above.", least.as_str()).into()
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

/// As many as fit into a list, whole ones.
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

/// The text's beginning.
pub(super) fn cut(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}
