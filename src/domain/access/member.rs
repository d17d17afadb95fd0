//! A member: a principal with a role in an account.

use serde::{Deserialize, Serialize};

use crate::domain::{
    refusal::Refusal,
    requests::principal::Principal,
    values::{
        enums::Role,
        ids::{AccountId, MemberId, TenantId},
        timestamp::Timestamp,
    },
};

/// A principal with a role in an account, which holds in every account below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// The membership's own id.
    #[serde(rename = "id")]
    pub id: MemberId,
    /// Where the role was given.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// Who.
    #[serde(rename = "principal")]
    pub principal: Principal,
    /// What it may do.
    #[serde(rename = "role")]
    pub role: Role,
    /// Since when.
    #[serde(rename = "created_at")]
    pub created_at: Timestamp,
    /// Whether it waits for its principal's consent: it counts for calls that name its account or one below, and for nothing
    /// else. An answer that was stored before there was consent is of a membership that does not wait.
    #[serde(rename = "waiting", default)]
    pub waiting: bool,
}

impl Member {
    /// Whether it is one of those that a tenant must keep at least one of: an accepted ADMIN of the provider.
    #[must_use]
    pub fn leads(&self, tenant: TenantId) -> bool {
        !self.waiting && self.role == Role::Admin && self.account.get() == tenant.get()
    }

    /// Refuses a change of a member whose role is of a newer release: this one cannot know what the change takes away.
    ///
    /// # Errors
    /// `ValueOfNewerRelease`.
    pub fn must_be_known(&self) -> Result<(), Refusal> {
        match self.role {
            Role::Unknown => Err(Refusal::ValueOfNewerRelease("the member's role")),
            _ => Ok(()),
        }
    }
}
