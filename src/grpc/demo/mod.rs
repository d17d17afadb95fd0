//! Creates demo data by calling the service like any client, so that starting `dev` also tests it. Rule: every call has a
//! request_id that is derived from its step; after an interruption the same calls get the stored answers.

mod billing;
mod calls;
mod invite;
mod record;
mod tree;
mod wire;

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use self::{
    calls::DemoCreation,
    wire::{connect, into_result, request},
};
use super::pb::{self, account_service_client::AccountServiceClient};

pub use self::{
    invite::INVITED,
    record::{FinalState, Owner, Record},
};

/// The demo's members.
pub const SUBJECTS: [&str; 7] = ["admin", "viewer", "alice", "bob", "carol", "dmitri", "erika"];
/// The version of the demo data.
pub const EDITION: u32 = 4;

/// The ids of the demo tenant that later calls need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demo {
    /// The [`EDITION`] that created it.
    #[serde(default)]
    pub edition: u32,
    /// The tenant; its id is also that of the distributor's account.
    pub tenant: String,
    /// The reseller with automatic approval.
    pub cloud: String,
    /// The reseller with manual approval.
    pub telecom: String,
    /// A customer of the first reseller.
    pub customer: String,
    /// A pending customer of the second reseller.
    pub pending: String,
    /// An invitation to an account that the distributor has just created.
    #[serde(default)]
    pub invitation: String,
}

/// Returns the name of an account of the demo.
#[must_use]
pub const fn account_name(owner: Owner) -> &'static str {
    tree::node(owner).name
}

/// Whether there is any tenant. Needs a platform operator's token.
///
/// # Errors
/// The service's error.
pub async fn has_tenant(address: SocketAddr, operator: &str) -> Result<bool, String> {
    let message = pb::ListTenantsRequest { page_size: 1, ..Default::default() };
    let mut client = AccountServiceClient::new(connect(address).await?);
    let response = client.list_tenants(request(message, operator, "")?).await;
    Ok(!into_result("ListTenants", response)?.tenants.is_empty())
}

/// Creates the demo, or the missing part of it. `tokens` are those of `operator` and of [`SUBJECTS`], by subject.
///
/// # Errors
/// The first call that failed, and the service's error. It can be called again.
pub async fn create(
    address: SocketAddr,
    issuer: &str,
    tokens: &BTreeMap<&str, String>,
    records: &[Record],
) -> Result<Demo, String> {
    let mut creation = DemoCreation::new(connect(address).await?, issuer, tokens);
    for &owner in Owner::VARIANTS {
        creation.create_account(owner).await?;
    }
    creation.create_rate_plans().await?;
    let ids = creation.create_customers(records).await?;
    creation.bring_to_final_state(records, &ids).await?;
    creation.add_tags(records, &ids).await?;
    let first_id = |owner, state| {
        let found = records.iter().position(|record| record.owner == owner && record.final_state == state);
        found.and_then(|index| ids.get(index)).cloned().unwrap_or_default()
    };
    creation.link_to_dealer(&first_id(Owner::Distributor, FinalState::Created)).await?;
    creation.activate_features(&first_id(Owner::Cloud, FinalState::Created)).await?;
    let invitation = creation.invite_reseller().await?;
    Ok(Demo {
        edition: EDITION,
        tenant: creation.account_id(Owner::Distributor),
        cloud: creation.account_id(Owner::Cloud),
        telecom: creation.account_id(Owner::Telecom),
        customer: first_id(Owner::Cloud, FinalState::Created),
        pending: first_id(Owner::Telecom, FinalState::Created),
        invitation,
    })
}
