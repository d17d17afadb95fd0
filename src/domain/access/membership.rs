//! A membership as its own principal sees it.

use serde::{Deserialize, Serialize};

use crate::domain::{
    access::member::Member,
    values::{
        enums::Role,
        ids::{AccountId, MemberId, TenantId},
    },
};

/// One membership of a principal, whichever tenant it is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The tenant.
    #[serde(rename = "tenant_id")]
    pub tenant: TenantId,
    /// The account.
    #[serde(rename = "account_id")]
    pub account: AccountId,
    /// The account's name.
    #[serde(rename = "account_name")]
    pub account_name: String,
    /// The role there and in every account below.
    #[serde(rename = "role")]
    pub role: Role,
    /// The membership's id.
    #[serde(rename = "member_id")]
    pub member: MemberId,
    /// Whether it waits for the principal's consent.
    #[serde(rename = "waiting")]
    pub waiting: bool,
}

impl Membership {
    /// The membership of a member.
    #[must_use]
    pub fn of(tenant: TenantId, account_name: String, member: &Member) -> Self {
        let Member { id, account, role, waiting, .. } = member;
        Self { tenant, account: *account, account_name, role: *role, member: *id, waiting: *waiting }
    }
}
