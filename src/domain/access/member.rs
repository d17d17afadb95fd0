//! A member: a principal with a role in an account.

use serde::{Deserialize, Serialize};

use crate::domain::{
    requests::principal::Principal,
    values::{
        enums::Role,
        ids::{AccountId, MemberId},
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
}
