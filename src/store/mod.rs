//! SQL, and nothing else: a connection comes in, domain values go out. No pool, no commit, no decision. Every statement
//! starts from a scope, whose tenant is its first predicate.

pub mod access;
pub mod accounts;
pub mod customers;
pub mod history;
pub mod migrations;
pub mod requests;
pub mod search;
pub mod server_log;
pub mod tags;

use crate::{
    domain::{
        access::caller::Scope,
        requests::{
            options::Repeatable,
            principal::{Author, Principal},
        },
        values::{
            ids::{AccountId, EventId},
            timestamp::Timestamp,
        },
    },
    error::{Error, Result},
};

/// A write beside its subject: who does it, when, and what is remembered of it. The same for every mutation.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Who, and by which RPC.
    pub author: &'a Author,
    /// In which account; none for a platform operator.
    pub acting: Option<AccountId>,
    /// When.
    pub at: Timestamp,
    /// The id of its event.
    pub event: EventId,
    /// Under which the answer is kept.
    pub request: Option<Repeatable>,
}

impl Write<'_> {
    fn request_id(&self) -> Option<uuid::Uuid> {
        self.request.map(|request| request.id.get())
    }

    fn fingerprint(&self) -> Option<Vec<u8>> {
        self.request.map(|request| request.fingerprint.to_vec())
    }

    fn actors(&self) -> Result<serde_json::Value> {
        json(&self.author.actors)
    }
}

/// A principal as the key of stored answers has it. No issuer holds a space.
fn principal_key(principal: &Principal) -> String {
    format!("{} {}", principal.issuer(), principal.subject())
}

/// The acting account's path, for the FLEET customers of the accounts above it.
fn path(scope: &Scope) -> Vec<uuid::Uuid> {
    scope.path().ids().iter().map(|id| id.get()).collect()
}

/// A value of ours as jsonb.
fn json(value: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value).map_err(Error::internal)
}
