//! Accounts: the nodes of a tenant's tree, their branches and their policies.

pub mod account;
pub mod branch;
pub mod policies;
