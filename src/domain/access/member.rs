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

/// Which members are listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WantedMembers {
    /// Those of the accounts above, too.
    pub inherited: bool,
    /// Of this issuer alone.
    pub issuer: Option<String>,
    /// Of this subject alone.
    pub subject: Option<String>,
}

impl Member {
    /// Whether it is one of those that a tenant must keep at least one of: an ADMIN of the provider. One that has not accepted
    /// counts only where none has.
    #[must_use]
    pub fn may_lead(&self, tenant: TenantId) -> bool {
        self.role == Role::Admin && self.account.get() == tenant.get()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples;

    #[test]
    fn a_member_of_an_answer_from_before_there_was_consent_does_not_wait() {
        let mut stored = serde_json::to_value(samples::member()).unwrap();
        stored.as_object_mut().unwrap().remove("waiting").unwrap();
        assert_eq!(serde_json::from_value::<Member>(stored).unwrap(), Member { waiting: false, ..samples::member() });
    }

    #[test]
    fn an_admin_of_the_provider_may_lead() {
        let provider = TenantId::from_uuid(samples::member().account.get());
        let admin = Member { role: Role::Admin, waiting: false, ..samples::member() };
        assert!(admin.may_lead(provider));
        assert!(!admin.may_lead(TenantId::from_uuid(samples::id(99))), "of an account below");
        assert!(Member { waiting: true, ..admin.clone() }.may_lead(provider));
        assert!(!Member { role: Role::ServiceManager, ..admin }.may_lead(provider));
    }
}
