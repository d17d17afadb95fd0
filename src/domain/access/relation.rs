//! The acting account's relation to a customer.

/// The relation of the acting account to a customer that it sees. It decides which fields the account may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relation {
    /// It owns the customer, or is above the owner.
    OwnerOrAbove,
    /// It is below the owner and sees the customer only because its reach is FLEET.
    Below,
}
