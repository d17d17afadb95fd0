//! Fills in demo data by calling the service like any client, so that starting `dev` proves it. Rule: every call has a
//! request_id that follows from what it makes; after an interruption the same calls find their answers.

mod wire;

use std::{collections::BTreeMap, net::SocketAddr};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tonic::{Request, transport::Channel};

use self::wire::{cloud_policies, connect, customer, request, said, telecom_policies};
use super::pb::{
    self, access_service_client::AccessServiceClient, account_service_client::AccountServiceClient,
    customer_service_client::CustomerServiceClient,
};

/// Calls in flight at once.
const AT_ONCE: usize = 12;

/// The demo's members.
pub const SUBJECTS: [&str; 4] = ["admin", "alice", "bob", "viewer"];

/// The demo tenant, as later calls need it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demo {
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

/// What is to be made: one record a customer.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The distributor's name.
    pub tenant: &'static str,
    /// The name of the reseller that approves by itself.
    pub cloud: &'static str,
    /// The name of the reseller that approves by hand.
    pub telecom: &'static str,
    /// The customers.
    pub customers: Vec<Record>,
}

/// Who owns a customer of the demo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The distributor; all its resellers serve the customer.
    Distributor,
    /// The first reseller.
    Cloud,
    /// The second reseller.
    Telecom,
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
    /// It is archived.
    Archived,
}

/// One customer of the demo. Texts that are empty are left out.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each but the first three is a field of the contract's Customer or of its one contact")]
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
    plan: &Plan,
) -> Result<Demo, String> {
    let seeding = Seeding { channel: connect(address).await?, issuer, tokens };
    let tenant = seeding.tenant(plan).await?;
    let cloud = seeding.account(plan.cloud, cloud_policies(), None, Step::Cloud).await?;
    let telecom = seeding.account(plan.telecom, telecom_policies(), Some("bob"), Step::Telecom).await?;
    seeding.member("viewer", pb::Role::Viewer, &tenant, Step::Viewer).await?;
    seeding.member("alice", pb::Role::Member, &cloud, Step::Alice).await?;
    let ids = seeding.customers(&plan.customers).await?;
    seeding.settle(&plan.customers, &ids).await?;
    let of = |owner, fate| {
        let found = plan.customers.iter().position(|record| record.owner == owner && record.fate == fate);
        found.and_then(|index| ids.get(index)).cloned().unwrap_or_default()
    };
    let (customer, pending) = (of(Owner::Cloud, Fate::Created), of(Owner::Telecom, Fate::Created));
    Ok(Demo { tenant, cloud, telecom, customer, pending })
}

/// What a request_id is for.
#[derive(Clone, Copy)]
enum Step {
    Tenant = 1,
    Cloud,
    Telecom,
    Viewer,
    Alice,
    Create,
    Approve,
    Reject,
    Archive,
}

/// The request_id of one step: the same whenever it is done.
fn request_id(step: Step, index: usize) -> String {
    let number = (step as u128) << 32 | index as u128;
    uuid::Builder::from_random_bytes((0xC11E_47E1_E000_0000_u128 << 64 | number).to_be_bytes()).into_uuid().to_string()
}

struct Seeding<'a> {
    channel: Channel,
    issuer: &'a str,
    tokens: &'a BTreeMap<&'a str, String>,
}

impl Seeding<'_> {
    fn request<T>(&self, message: T, subject: &str, account: &str) -> Result<Request<T>, String> {
        let token = self.tokens.get(subject).ok_or_else(|| format!("no token of {subject}"))?;
        request(message, token, account)
    }

    fn principal(&self, subject: &str) -> pb::Principal {
        pb::Principal { issuer: self.issuer.to_owned(), subject: subject.to_owned() }
    }

    async fn tenant(&self, plan: &Plan) -> Result<String, String> {
        let message = pb::CreateTenantRequest {
            tenant: Some(pb::Tenant { name: plan.tenant.to_owned(), ..Default::default() }),
            first_admin: Some(self.principal("admin")),
            request_id: request_id(Step::Tenant, 0),
            ..Default::default()
        };
        let mut client = AccountServiceClient::new(self.channel.clone());
        let answer = client.create_tenant(self.request(message, "operator", "")?).await;
        Ok(said("CreateTenant", answer)?.tenant.unwrap_or_default().id)
    }

    async fn account(
        &self,
        name: &str,
        policies: pb::AccountPolicies,
        admin: Option<&str>,
        step: Step,
    ) -> Result<String, String> {
        let message = pb::CreateAccountRequest {
            account: Some(pb::Account { name: name.to_owned(), policies: Some(policies), ..Default::default() }),
            first_admin: admin.map(|subject| self.principal(subject)),
            request_id: request_id(step, 0),
            ..Default::default()
        };
        let mut client = AccountServiceClient::new(self.channel.clone());
        let answer = client.create_account(self.request(message, "admin", "")?).await;
        Ok(said("CreateAccount", answer)?.account.unwrap_or_default().id)
    }

    async fn member(&self, subject: &str, role: pb::Role, account: &str, step: Step) -> Result<(), String> {
        let message = pb::AddMemberRequest {
            principal: Some(self.principal(subject)),
            role: role.into(),
            request_id: request_id(step, 0),
            ..Default::default()
        };
        let mut client = AccessServiceClient::new(self.channel.clone());
        said("AddMember", client.add_member(self.request(message, "admin", account)?).await).map(drop)
    }

    /// Creates the customers, some at once, and gives their ids in the same order.
    async fn customers(&self, records: &[Record]) -> Result<Vec<String>, String> {
        let mut ids = vec![String::new(); records.len()];
        for (start, some) in records.chunks(AT_ONCE).enumerate().map(|(chunk, some)| (chunk * AT_ONCE, some)) {
            let mut calls = JoinSet::new();
            for (index, record) in some.iter().enumerate().map(|(offset, record)| (start + offset, record)) {
                let message = pb::CreateCustomerRequest {
                    customer: Some(customer(record)),
                    request_id: request_id(Step::Create, index),
                    ..Default::default()
                };
                let request = self.request(message, keeper(record.owner), "")?;
                let (mut client, name) = (CustomerServiceClient::new(self.channel.clone()), record.name);
                calls.spawn(async move {
                    let answer = client.create_customer(request).await;
                    said(name, answer).map(|answer| (index, answer.customer.unwrap_or_default().id))
                });
            }
            while let Some(call) = calls.join_next().await {
                let (index, id) = call.map_err(|error| error.to_string())??;
                ids[index] = id;
            }
        }
        Ok(ids)
    }

    /// Brings each customer to what becomes of it.
    async fn settle(&self, records: &[Record], ids: &[String]) -> Result<(), String> {
        let mut client = CustomerServiceClient::new(self.channel.clone());
        for (index, (record, id)) in records.iter().zip(ids).enumerate() {
            let (customer_id, keeper) = (id.clone(), keeper(record.owner));
            match record.fate {
                Fate::Approved => {
                    let request_id = request_id(Step::Approve, index);
                    let message = pb::ApproveCustomerRequest { customer_id, request_id, ..Default::default() };
                    said(record.name, client.approve_customer(self.request(message, keeper, "")?).await).map(drop)?;
                }
                Fate::Rejected => {
                    let (request_id, reason) = (request_id(Step::Reject, index), REASON.to_owned());
                    let message = pb::RejectCustomerRequest { customer_id, reason, request_id, ..Default::default() };
                    said(record.name, client.reject_customer(self.request(message, keeper, "")?).await).map(drop)?;
                }
                Fate::Archived => {
                    let (request_id, customer_ids) = (request_id(Step::Archive, index), vec![customer_id]);
                    let message = pb::ArchiveCustomersRequest { customer_ids, request_id, ..Default::default() };
                    said(record.name, client.archive_customers(self.request(message, keeper, "")?).await).map(drop)?;
                }
                Fate::Created => {}
            }
        }
        Ok(())
    }
}

/// Why a customer of the demo is rejected.
const REASON: &str = "Not found in the register of companies";

/// Who creates an owner's customers and decides on them.
const fn keeper(owner: Owner) -> &'static str {
    match owner {
        Owner::Distributor => "admin",
        Owner::Cloud => "alice",
        Owner::Telecom => "bob",
    }
}
