//! The messages of errors: what is wrong and what to do. A text is constant, or made of values that the caller sent or may
//! see, truncated. It never contains SQL, a table, a host or another customer's data.

use std::{borrow::Cow, fmt};

use crate::{
    domain::{
        refusal::{Blocker, Refusal},
        values::{
            enums::Role,
            violation::{Rule, Violations},
        },
    },
    error::Error,
};

/// The message of an INTERNAL error.
pub const INTERNAL: &str = "Internal error. The server's log has the cause under this call's trace id.";
/// The message of an unknown RPC.
pub const RPC_UNKNOWN: &str = "There is no such RPC. Check the method's name against this server's protos.";
/// Maximum length of a list of names or fields, in bytes.
const MAX_LIST: usize = 600;
/// Maximum length of a field path, in bytes: it may contain keys that the caller chose.
pub(super) const MAX_FIELD: usize = 200;
/// Maximum length of a rule, in bytes.
pub(super) const MAX_RULE: usize = 400;

/// The rule on the number of custom IDs.
pub(super) const TOO_MANY_CUSTOM_IDS: Rule = Rule::new("must be at most 20 for one customer; clear one first");

/// Returns the message of an error.
pub(super) fn for_error(error: &Error) -> Cow<'static, str> {
    let constant = match error {
        Error::TokenInvalid(cause) => return format!("The token is invalid: {cause}.").into(),
        Error::RoleTooLow(least) => return role_too_low(*least),
        Error::Invalid(violations) => return summary(violations).into(),
        Error::Refused { refusal, .. } => return for_refusal(refusal),
        Error::NameTaken { .. } => "Another customer has this name.",
        Error::TakenThere { blocker, .. } => blocker.text(),
        Error::RequestIdReused { differs } => return request_id_reused(differs).into(),
        Error::AccountRequired { several, waiting } => return account_required(*several, *waiting).into(),
        Error::MessageIncomplete { within } => {
            return format!("The message was not complete within {within:?}. Nothing was done; send it again, faster.")
                .into();
        }
        Error::TokenMissing => "The call has no token. Send it in the header authorization: Bearer TOKEN.",
        Error::TokenTooLarge => "The token is larger than 16 KiB. Get one with fewer claims, for this service alone.",
        Error::NotAMember => "You are not a member of any account here. Ask an ADMIN of the account to add you.",
        Error::TenantSuspended => "The tenant is suspended. The operator of the platform can resume it.",
        Error::TenantNotFound => "Tenant not found.",
        Error::TenantRequired => "No tenant is named. Name the tenant in the header clientele-tenant.",
        Error::NotAnOperator => "Only a platform operator may do this. The server's configuration names them.",
        Error::PageToken => "The page token does not belong to this query and account. Start again without one.",
        Error::AnswerOfNewerRelease => {
            "A server of a newer release answered the first call with this request_id. Nothing was done again. Send the same \
             request to a server of that release."
        }
        Error::RequestInFlight => "The first call with this request_id is still running. Send the same call again.",
        Error::CustomerNotFound { .. } => "Customer not found, or not visible to the acting account.",
        Error::AccountNotFound => "Account not found, or not one that you can act in.",
        Error::CustomIdTaken { .. } => "Another customer has this custom ID in this account and system.",
        Error::LookupAmbiguous => "Several customers have this custom ID in different systems. Name the system.",
        Error::AnswerTooLarge => {
            "The response would exceed the clients' size limit. Request fewer customers, or the view BASIC."
        }
        Error::OrderReferenceTaken { .. } => "Another customer of the account was created from this order.",
        Error::PossibleDuplicate { .. } => {
            "The customer may exist already. FindDuplicateCustomers shows which ones; duplicate_policy REPORT creates it all the same."
        }
        Error::MemberExists { .. } => "The principal is already a member of the account.",
        Error::MemberNotFound => "Member not found in the acting account.",
        Error::MembershipNotFound => "You have no such membership.",
        Error::TagNotFound => "Tag not found in the acting account.",
        Error::TagExists { .. } => "The acting account already has a tag with this name.",
        Error::BranchNotFound => "Branch not found in the acting account.",
        Error::BranchExists { .. } => "The acting account already has a branch with this name.",
        Error::InvitationNotFound => "Invitation not found. Use the link of the mail as it is, or ask for a new one.",
        Error::InvitationExists { .. } => {
            "The account has already invited this address. ResendInvitation sends the mail again."
        }
        Error::CardNumberRefused(_) => {
            "A text looks like a card number or an IBAN, which are not kept here. Send the payment provider's token. Nothing was \
             logged or stored."
        }
        Error::PaymentMethodNotFound => "The customer has no payment method with this id.",
        Error::EtagMismatch { .. } => "The customer has changed since its etag was read. Read it again.",
        Error::Contended | Error::LostRace | Error::LockTimeout { .. } => {
            "The record is being changed by other calls. Nothing was written; retry."
        }
        Error::StatementTimeout => {
            "The work in the database took longer than the server allows, and was stopped. Nothing was written. Ask for less \
             at once: fewer ids, a smaller page, a narrower filter."
        }
        Error::StatementCancelled => "The work in the database was cancelled there. Nothing was written; retry.",
        Error::Deadline => "The deadline has passed. A write may still happen: repeat it with the same request_id.",
        Error::Overloaded { .. } => "The server is overloaded. Retry after the delay.",
        Error::RateLimited { .. } => "Rate limit exceeded. Retry after the delay.",
        Error::ShuttingDown => "This server is stopping. Retry on another server.",
        Error::IssuerUnavailable(_) => "The issuer's signing keys are unavailable. Nothing was done; retry.",
        Error::SchemaOutdated { .. } => {
            "The database's schema is older than this server needs. Nothing was done; retry when it has been migrated."
        }
        Error::Unavailable { .. } => {
            "The database cannot be reached. A write may have happened: repeat it with the same request_id."
        }
        Error::Database(_) | Error::Internal(_) => INTERNAL,
    };
    constant.into()
}

fn for_refusal(refusal: &Refusal) -> Cow<'static, str> {
    match refusal {
        Refusal::RoleTooLow(least) => role_too_low(*least),
        Refusal::FleetOwnedElsewhere => {
            "Only the account that owns this customer, and accounts above it, may do this.".into()
        }
        Refusal::RequiredToCreate(paths) => format!("The account requires these fields: {}.", join(paths, ", ")).into(),
        Refusal::RequiredToApprove(paths) => {
            format!("Fill in these fields before approval: {}.", join(paths, ", ")).into()
        }
        Refusal::Archived => "The customer is archived. Unarchive it first.".into(),
        Refusal::Merged => "The customer was merged into another one: merged_into names it. Change that one.".into(),
        Refusal::Erased => "The customer was erased. Nothing changes it any more.".into(),
        Refusal::MergeBlocked(blocker) => blocker.text(),
        Refusal::UndoBlocked(blocker) => blocker.text().into(),
        Refusal::ChangedSinceMerge(paths) => {
            format!("These changed after the merge and would be lost: {}. Set keep_newer to keep them.", join(paths, ", ")).into()
        }
        Refusal::Held => Blocker::Hold.text().into(),
        Refusal::IllegalTransition(cause) => format!("The customer's status does not allow this: {cause}.").into(),
        Refusal::BreaksRule(violations) => format!("Together with the existing values, {}", summary(violations)).into(),
        Refusal::TooManyCustomIds => {
            format!("Together with the existing ones, custom_ids {}.", TOO_MANY_CUSTOM_IDS.text()).into()
        }
        Refusal::Narrowed => {
            "The header clientele-customer narrows the call to one customer, but this changes something else.".into()
        }
        Refusal::AccountSuspended => {
            "The acting account, or an account above it, is suspended. It can be read, but nothing can be changed from it."
                .into()
        }
        Refusal::AccountAboveRequired(least) => format!(
            "Only an account above can do this: act in one in which your role is {} or above.",
            least.as_str()
        )
        .into(),
        Refusal::BranchInUse => "A customer is in the branch. Move its customers to another branch first.".into(),
        Refusal::NameConflicts => {
            "Customers have the same name where the new rule forbids it. The same call with validate_only lists them."
                .into()
        }
        Refusal::LimitReached(limit) => format!("Limit reached: {limit}.").into(),
        Refusal::TreeTooDeep => {
            "The account tree may be at most 8 levels deep. Create the account at a higher level.".into()
        }
        Refusal::LastAdmin => {
            "This is the last accepted ADMIN of the provider. Make another member ADMIN first, and let it accept."
                .into()
        }
        Refusal::Blocked(blocker) => blocker.text().into(),
        Refusal::Invitation(refusal) => refusal.text().into(),
        Refusal::Billing(refusal) => refusal.text().into(),
        Refusal::ValueOfNewerRelease(what) | Refusal::RoleOfNewerRelease(what) => format!(
            "A newer release stored {what}, and this server does not know the value. Use a server of the newer release."
        )
        .into(),
    }
}

fn role_too_low(least: Role) -> Cow<'static, str> {
    format!("Your role in the acting account is too low: {} or above is required.", least.as_str()).into()
}

fn account_required(several: bool, waiting: i64) -> String {
    let accepted =
        if several { "You are a member of several accounts." } else { "You have accepted no membership yet." };
    let waiting = match waiting {
        0 => String::new(),
        waiting => {
            format!(" Memberships that wait for your consent: {}. AcceptMembership accepts one.", count(waiting))
        }
    };
    format!("{accepted} Name the account in the header clientele-account.{waiting}")
}

/// How many memberships wait.
pub(super) fn count(waiting: i64) -> String {
    if waiting >= Error::MAX_WAITING { format!("{} or more", Error::MAX_WAITING) } else { waiting.to_string() }
}

fn request_id_reused(differs: &[&str]) -> String {
    if differs == ["etag"] {
        return "This request_id was used before with another etag; the rest is the same. Use a new request_id to change the \
                state of this etag."
            .to_owned();
    }
    let what = if differs.is_empty() { String::new() } else { format!(" These differ: {}.", join(differs, ", ")) };
    format!("This request_id was used before with another request.{what} Use a new one.")
}

/// As many items as fit into a list, as a JSON array: an item may contain any separator.
pub(super) fn list(items: &[String]) -> String {
    let mut length = 2;
    let fitting = items.iter().take_while(|item| {
        length += item.len() + 3;
        length <= MAX_LIST
    });
    serde_json::Value::from_iter(fitting.cloned()).to_string()
}

fn summary(violations: &Violations) -> String {
    let Some((first, others)) = violations.all().split_first() else { return "A field is invalid.".to_owned() };
    let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
    format!("{} {}{more}.", truncate(&first.field, MAX_FIELD), truncate(first.rule.text(), MAX_RULE))
}

/// Joins as many items as fit into a list; no item is truncated.
pub(super) fn join<T: fmt::Display>(items: &[T], separator: &str) -> String {
    let mut list = String::new();
    for item in items.iter().map(ToString::to_string) {
        if list.len() + separator.len() + item.len() > MAX_LIST {
            break;
        }
        if !list.is_empty() {
            list.push_str(separator);
        }
        list.push_str(&item);
    }
    list
}

/// Truncates a text to a number of bytes, at a character boundary.
pub(super) fn truncate(text: &str, bytes: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes)).unwrap_or(text)
}

/// Returns the size of message and details in HTTP/2 headers, in bytes: percent-encoded, and in base64.
pub(super) fn wire_size(status: &tonic::Status) -> usize {
    let escaped = |byte: u8| !byte.is_ascii_graphic() || b"\"#%<>`?{}".contains(&byte);
    let message: usize = status.message().bytes().map(|byte| if escaped(byte) { 3 } else { 1 }).sum();
    message + (status.details().len() * 4).div_ceil(3)
}
