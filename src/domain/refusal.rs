//! Why the domain will not do what was asked, though the request is well formed and the customer is there.

use crate::domain::{enums::Role, field::FieldPath, migration::Blocker, violation::Rule};

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
    /// The customer's status does not allow it.
    IllegalTransition(&'static str),
    /// Together with what is there already, an update breaks a rule of the customer's field with this path.
    BreaksRule(&'static str, Rule),
    /// An account has as many custom IDs of a customer as it may.
    TooManyCustomIds,
    /// The call is narrowed to one customer, and names none.
    Narrowed,
    /// There are as many as there may be; the text says of what, and how many.
    LimitReached(&'static str),
    /// The tree of accounts would be more than eight deep.
    TreeTooDeep,
    /// The customer cannot be moved to another account.
    Blocked(Blocker),
}
