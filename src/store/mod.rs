//! SQL, and nothing else: a connection comes in, domain values go out. No pool, no commit, no decision. Every statement
//! starts from a scope, whose tenant is its first predicate.

pub mod access;
pub mod accounts;
pub mod billing;
pub mod customers;
mod derived;
mod duplicates;
pub mod exchange;
pub mod history;
pub mod keys;
pub mod migrations;
mod mutation;
pub mod requests;
pub mod rows;
pub mod search;
pub mod server_log;
pub mod sessions;
mod sort_keys;
mod sql;
mod sql_access;
mod sql_billing;
mod sql_one;
mod sql_search;
pub mod tags;
mod write;

pub use self::write::Write;
use crate::domain::access::caller::Scope;

/// The acting account's path, for the FLEET customers of the accounts above it.
fn path(scope: &Scope) -> Vec<uuid::Uuid> {
    scope.path().ids().iter().map(|id| id.get()).collect()
}
