//! Access: who calls, with which role, in which account, and the acting account's relation to a customer.

pub mod caller;
pub mod invitation;
pub mod invitation_counts;
pub mod member;
pub mod membership;
pub mod relation;
