//! Why the domain will not do what was asked, though the request is well formed and the customer is there.

use crate::domain::{
    billing::refusal::BillingRefusal,
    customers::merge_blocker::{MergeBlocker, UndoBlocker},
    fields::path::FieldPath,
    values::{enums::Role, violation::Violations},
};

/// The closed set of refusals.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The role in the acting account is below this one.
    RoleTooLow(Role),
    /// The customer is seen only through its reach; its owner is not the acting account nor below it.
    FleetOwnedElsewhere,
    /// These fields must be filled in when a customer is created, and stay so.
    RequiredToCreate(Vec<FieldPath>),
    /// These fields must be filled in before a customer becomes ACTIVE.
    RequiredToApprove(Vec<FieldPath>),
    /// The customer is archived.
    Archived,
    /// The customer was merged into another one.
    Merged,
    /// The customer was erased.
    Erased,
    /// A hold is placed on the customer.
    Held,
    /// Customers cannot be merged.
    MergeBlocked(MergeBlocker),
    /// A merge cannot be undone.
    UndoBlocked(UndoBlocker),
    /// Undoing a merge would lose what was changed after it, in the fields of these paths.
    ChangedSinceMerge(Vec<String>),
    /// The customer's status does not allow it.
    IllegalTransition(&'static str),
    /// Together with what is there already, an update breaks rules of the customer's fields with these paths.
    BreaksRule(Violations),
    /// An account has as many custom IDs of a customer as it may.
    TooManyCustomIds,
    /// The call is narrowed to one customer, and names none.
    Narrowed,
    /// The acting account, or one above it, is suspended.
    AccountSuspended,
    /// Only a call that acts in an account above may do this, with this role there.
    AccountAboveRequired(Role),
    /// A customer is in the branch.
    BranchInUse,
    /// Customers have the same name where the new rule forbids it.
    NameConflicts,
    /// There are as many as there may be; the text says of what, and how many.
    LimitReached(&'static str),
    /// The tree of accounts would be more than eight deep.
    TreeTooDeep,
    /// It is the last accepted ADMIN of the tenant's provider.
    LastAdmin,
    /// The customer cannot be moved to another account.
    Blocked(Blocker),
    /// Something about plans, features and credit.
    Billing(Box<BillingRefusal>),
    /// The invitation cannot be accepted, or not be sent or revoked.
    Invitation(InvitationRefusal),
    /// A stored value that a newer release wrote decides about the call; the text says which value.
    ValueOfNewerRelease(&'static str),
    /// The same for a role that the caller would need: it is refused like a role that is too low, before stored answers are
    /// looked at.
    RoleOfNewerRelease(&'static str),
}

/// Why an invitation cannot be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationRefusal {
    /// It is for another address.
    EmailMismatch,
    /// The caller's token does not prove an address.
    EmailUnverified,
    /// It was accepted.
    Used,
    /// Its time is over.
    Expired,
    /// It was withdrawn.
    Revoked,
}

impl InvitationRefusal {
    /// What it says to people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::EmailMismatch => {
                "The invitation is for another email address. Sign in with the one that got the mail."
            }
            Self::EmailUnverified => {
                "Your token does not prove an email address: it needs the claims email and email_verified (true)."
            }
            Self::Used => "The invitation was accepted already.",
            Self::Expired => "The invitation has expired. Ask for it to be sent again.",
            Self::Revoked => "The invitation was withdrawn. Ask for a new one.",
        }
    }
}

impl From<InvitationRefusal> for Refusal {
    fn from(refusal: InvitationRefusal) -> Self {
        Self::Invitation(refusal)
    }
}

impl From<BillingRefusal> for Refusal {
    fn from(refusal: BillingRefusal) -> Self {
        Self::Billing(Box::new(refusal))
    }
}

/// What keeps a customer where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the one of that name in the contract's MoveBlocker")]
pub enum Blocker {
    Archived,
    NotActive,
    NameTaken,
    NoAdminEmail,
    TreeTooDeep,
    Fleet,
    Hold,
    OrderReferenceTaken,
    NotMigrated,
    TooLate,
    MovedOn,
    HasBranch,
    HasAccount,
    HasCustomer,
    InUse,
    RatePlan,
}

impl Blocker {
    /// What it says to people.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Archived => "The customer is archived. Unarchive it first.",
            Self::NotActive => "Only an ACTIVE customer can be migrated.",
            Self::NameTaken => "Another customer has its name where it goes.",
            Self::NoAdminEmail => {
                "Name a first admin: neither the primary contact nor the customer has an email address."
            }
            Self::TreeTooDeep => "The tree of accounts is at most 8 deep, and the customer's owner is at the bottom.",
            Self::Fleet => "A FLEET customer cannot become a reseller. Set its reach to LOCAL first.",
            Self::Hold => "A hold is placed on the customer. The service that placed it releases it.",
            Self::OrderReferenceTaken => "Another customer has its order reference where it goes.",
            Self::NotMigrated => "The customer was never migrated to a reseller account.",
            Self::TooLate => "It was migrated more than 30 days ago.",
            Self::MovedOn => "The customer belongs to another account by now. TransferCustomers moves it.",
            Self::HasBranch => "The account that was made of it has a branch.",
            Self::HasAccount => "The account that was made of it has an account below it.",
            Self::HasCustomer => "The account that was made of it has another customer.",
            Self::RatePlan => {
                "Its chargeable features do not fit the first rate plan where it goes: a price is missing, or the currency is \
                 another."
            }
            Self::InUse => "A member of the account that was made of it has written something there.",
        }
    }
}
