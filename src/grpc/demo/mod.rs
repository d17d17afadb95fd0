//! Fills in demo data by calling the service like any client, so that starting `dev` proves it. Rule: every call has a
//! request_id that follows from what it makes; after an interruption the same calls find their answers.

mod calls;
mod tree;
mod wire;

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};
use strum::VariantArray;

use self::{
    calls::Seeding,
    wire::{connect, request, said},
};
use super::pb::{self, account_service_client::AccountServiceClient};

/// The demo's members.
pub const SUBJECTS: [&str; 7] = ["admin", "viewer", "alice", "bob", "carol", "dmitri", "erika"];
/// Counts up whenever other data is made.
pub const EDITION: u32 = 2;

/// The demo tenant, as later calls need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demo {
    /// Which [`EDITION`] made it.
    #[serde(default)]
    pub edition: u32,
    /// The tenant, whose id is the distributor's account too.
    pub tenant: String,
    /// The reseller that approves by itself.
    pub cloud: String,
    /// The reseller that approves by hand.
    pub telecom: String,
    /// A customer of the first.
    pub customer: String,
    /// A customer of the second that waits to be approved.
    pub pending: String,
}

/// Who owns a customer of the demo: an account of its tree. Each comes after the one above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, VariantArray)]
pub enum Owner {
    /// The distributor; all its resellers serve the customer.
    Distributor,
    /// The reseller that asks for little.
    Cloud,
    /// The telecom reseller, which approves by hand.
    Telecom,
    /// The dealer, with branches and a dealer management system.
    Dealer,
    /// The reseller of the cloud reseller.
    Market,
    /// The reseller that asks for everything.
    Full,
}

/// What becomes of a customer of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing more.
    Created,
    /// It is approved.
    Approved,
    /// It is rejected.
    Rejected,
    /// It is suspended.
    Suspended,
    /// It is archived.
    Archived,
    /// It has a hold.
    Held,
}

/// One customer of the demo. Texts that are empty are left out.
#[derive(Clone, Debug)]
#[expect(
    missing_docs,
    reason = "each but those that say more is a field of the contract's Customer or of its one contact"
)]
pub struct Record {
    pub owner: Owner,
    pub fate: Fate,
    pub is_person: bool,
    pub name: &'static str,
    pub legal_name: &'static str,
    pub registration_number: &'static str,
    pub tax_id: &'static str,
    pub industry: &'static str,
    pub line1: &'static str,
    pub postal_code: &'static str,
    pub city: &'static str,
    pub state: &'static str,
    pub country: &'static str,
    pub phone: &'static str,
    pub email: &'static str,
    pub billing_email: &'static str,
    pub first_name: &'static str,
    pub last_name: &'static str,
    pub job_title: &'static str,
    pub contact_email: &'static str,
    pub currency: &'static str,
    pub language: &'static str,
    pub custom_ids: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub order_reference: String,
    pub tags: Vec<&'static str>,
    /// Which of the owner's branches keeps it, if it has any.
    pub branch: usize,
    /// Which of the demo's members looks after it; nobody if empty.
    pub sales_person: &'static str,
}

/// The name of an account of the demo.
#[must_use]
pub const fn name_of(owner: Owner) -> &'static str {
    tree::node(owner).name
}

/// Whether there is any tenant, asked with a platform operator's token.
///
/// # Errors
/// What the service says.
pub async fn has_tenant(address: SocketAddr, operator: &str) -> Result<bool, String> {
    let message = pb::ListTenantsRequest { page_size: 1, ..Default::default() };
    let mut client = AccountServiceClient::new(connect(address).await?);
    let answer = client.list_tenants(request(message, operator, "")?).await;
    Ok(!said("ListTenants", answer)?.tenants.is_empty())
}

/// Makes the demo, or what of it is not there yet. `tokens` are those of `operator` and of [`SUBJECTS`], by subject.
///
/// # Errors
/// The first call that failed, and what the service said. It can be called again.
pub async fn seed(
    address: SocketAddr,
    issuer: &str,
    tokens: &BTreeMap<&str, String>,
    records: &[Record],
) -> Result<Demo, String> {
    let mut seeding = Seeding::new(connect(address).await?, issuer, tokens);
    for &owner in Owner::VARIANTS {
        seeding.node(owner).await?;
    }
    let ids = seeding.customers(records).await?;
    seeding.settle(records, &ids).await?;
    seeding.tag(records, &ids).await?;
    let of = |owner, fate| {
        let found = records.iter().position(|record| record.owner == owner && record.fate == fate);
        found.and_then(|index| ids.get(index)).cloned().unwrap_or_default()
    };
    seeding.serve(&of(Owner::Distributor, Fate::Created)).await?;
    Ok(Demo {
        edition: EDITION,
        tenant: seeding.account(Owner::Distributor),
        cloud: seeding.account(Owner::Cloud),
        telecom: seeding.account(Owner::Telecom),
        customer: of(Owner::Cloud, Fate::Created),
        pending: of(Owner::Telecom, Fate::Created),
    })
}
