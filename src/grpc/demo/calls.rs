//! The calls that create the demo, in the order of their dependencies.

use std::collections::BTreeMap;

use tokio::task::JoinSet;
use tonic::{Request, transport::Channel};

use super::{
    record::{FinalState, Owner, Record},
    tree::{Node, node},
    wire::{customer, into_result, request},
};
use crate::grpc::pb::{
    self, access_service_client::AccessServiceClient, account_service_client::AccountServiceClient,
    customer_service_client::CustomerServiceClient,
};

/// Maximum calls in flight.
const MAX_IN_FLIGHT: usize = 12;
/// The reasons of rejections, suspensions and holds.
const REJECTED: &str = "Not found in the register of companies";
const SUSPENDED: &str = "Three invoices are overdue";
const HELD: &str = "Two orders are still to be delivered";

/// The step that a request_id is for.
#[derive(Clone, Copy)]
pub(super) enum Step {
    Account = 1,
    Member,
    Branch,
    Create,
    Approve,
    Reject,
    Suspend,
    Archive,
    Hold,
    Tag,
    Link,
    Accept,
    Invite,
    Feature,
    RatePlan,
    Credit,
}

/// Returns the request_id of one step: always the same.
pub(super) fn request_id(step: Step, index: usize) -> String {
    let number = (step as u128) << 32 | index as u128;
    uuid::Builder::from_random_bytes((0xC11E_47E1_E000_0000_u128 << 64 | number).to_be_bytes()).into_uuid().to_string()
}

/// A demo that is being created.
pub(super) struct DemoCreation<'a> {
    pub(super) channel: Channel,
    issuer: &'a str,
    tokens: &'a BTreeMap<&'a str, String>,
    accounts: BTreeMap<Owner, String>,
    branches: BTreeMap<Owner, Vec<String>>,
    members: BTreeMap<&'static str, String>,
}

impl<'a> DemoCreation<'a> {
    /// Starts without any account.
    pub(super) fn new(channel: Channel, issuer: &'a str, tokens: &'a BTreeMap<&'a str, String>) -> Self {
        let (accounts, branches, members) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { channel, issuer, tokens, accounts, branches, members }
    }

    /// Returns the id of an account that was created.
    pub(super) fn account_id(&self, owner: Owner) -> String {
        self.accounts.get(&owner).cloned().unwrap_or_default()
    }

    /// Makes a request of a subject that acts in an owner's account.
    pub(super) fn request<T>(&self, message: T, subject: &str, owner: Owner) -> Result<Request<T>, String> {
        let token = self.tokens.get(subject).ok_or_else(|| format!("no token for {subject}"))?;
        request(message, token, &self.account_id(owner))
    }

    fn principal(&self, subject: &str) -> pb::Principal {
        pb::Principal { issuer: self.issuer.to_owned(), subject: subject.to_owned() }
    }

    fn customer_service(&self) -> CustomerServiceClient<Channel> {
        CustomerServiceClient::new(self.channel.clone())
    }

    /// Creates an account, its members and its branches.
    pub(super) async fn create_account(&mut self, owner: Owner) -> Result<(), String> {
        let Node { name, parent, policies, members, branches } = node(owner);
        let (name, policies, index) = (name.to_owned(), Some(policies()), owner as usize);
        let first = members.iter().find(|(_, role)| *role == pb::Role::Admin).map(|(subject, _)| *subject);
        let first_admin = first.map(|subject| self.principal(subject));
        let mut client = AccountServiceClient::new(self.channel.clone());
        let (account, waiting_admin) = if owner == parent {
            let tenant = Some(pb::Tenant { name, ..Default::default() });
            let request_id = request_id(Step::Account, index);
            let message = pb::CreateTenantRequest { tenant, policies, first_admin, request_id, validate_only: false };
            let response = client.create_tenant(self.request(message, "operator", owner)?).await;
            (into_result("CreateTenant", response)?.account, None)
        } else {
            let account = Some(pb::Account { name, policies, ..Default::default() });
            let request_id = request_id(Step::Account, index);
            let message = pb::CreateAccountRequest { account, first_admin, request_id, ..Default::default() };
            let response = client.create_account(self.request(message, "admin", parent)?).await;
            let created = into_result("CreateAccount", response)?;
            (created.account, created.first_admin)
        };
        self.accounts.insert(owner, account.unwrap_or_default().id);
        if let (Some(subject), Some(admin)) = (first, waiting_admin) {
            self.accept_membership(subject, admin.member_id, request_id(Step::Accept, index << 8 | 0xff)).await?;
        }
        for (number, (subject, role)) in members.iter().enumerate().filter(|(_, (subject, _))| Some(*subject) != first)
        {
            let step = index << 8 | number;
            let id = self.add_member(subject, *role, owner, request_id(Step::Member, step)).await?;
            self.accept_membership(subject, id.clone(), request_id(Step::Accept, step)).await?;
            self.members.insert(subject, id);
        }
        for (number, (name, dms_integrated)) in branches.iter().enumerate() {
            let branch = pb::Branch { name: (*name).to_owned(), dms_integrated: *dms_integrated, ..Default::default() };
            let request_id = request_id(Step::Branch, index << 8 | number);
            let message = pb::CreateBranchRequest { branch: Some(branch), request_id, validate_only: false };
            let response = client.create_branch(self.request(message, "admin", owner)?).await;
            let created = into_result("CreateBranch", response)?;
            self.branches.entry(owner).or_default().push(created.branch.unwrap_or_default().id);
        }
        Ok(())
    }

    async fn add_member(
        &self,
        subject: &str,
        role: pb::Role,
        owner: Owner,
        request_id: String,
    ) -> Result<String, String> {
        let (principal, role) = (Some(self.principal(subject)), role.into());
        let message = pb::AddMemberRequest { principal, role, request_id, validate_only: false };
        let mut client = AccessServiceClient::new(self.channel.clone());
        let added = into_result("AddMember", client.add_member(self.request(message, "admin", owner)?).await)?;
        Ok(added.member.unwrap_or_default().member_id)
    }

    /// Accepts a subject's membership, so that its calls need no header.
    async fn accept_membership(&self, subject: &str, member_id: String, request_id: String) -> Result<(), String> {
        let token = self.tokens.get(subject).ok_or_else(|| format!("no token for {subject}"))?;
        let message = pb::AcceptMembershipRequest { member_id, request_id, validate_only: false };
        let mut client = AccessServiceClient::new(self.channel.clone());
        let response = client.accept_membership(request(message, token, "")?).await;
        into_result("AcceptMembership", response).map(drop)
    }

    /// Creates the customers, several at once, and returns their ids in the same order.
    pub(super) async fn create_customers(&self, records: &[Record]) -> Result<Vec<String>, String> {
        let mut ids = vec![String::new(); records.len()];
        for (number, chunk) in records.chunks(MAX_IN_FLIGHT).enumerate() {
            let mut calls = JoinSet::new();
            let first = number * MAX_IN_FLIGHT;
            for (index, record) in chunk.iter().enumerate().map(|(offset, record)| (first + offset, record)) {
                let branch = self.branches.get(&record.owner).and_then(|branches| branches.get(record.branch));
                let sales_person = self.members.get(record.sales_person);
                let customer =
                    customer(record, branch.cloned().unwrap_or_default(), sales_person.cloned().unwrap_or_default());
                let request_id = request_id(Step::Create, index);
                let message = pb::CreateCustomerRequest { customer: Some(customer), request_id, ..Default::default() };
                let request = self.request(message, creator(record.owner), record.owner)?;
                let (mut client, name) = (self.customer_service(), record.name);
                calls.spawn(async move {
                    let response = client.create_customer(request).await;
                    into_result(name, response).map(|created| (index, created.customer.unwrap_or_default().id))
                });
            }
            while let Some(call) = calls.join_next().await {
                let (index, id) = call.map_err(|error| error.to_string())??;
                ids[index] = id;
            }
        }
        Ok(ids)
    }

    /// Brings each customer to its final state.
    pub(super) async fn bring_to_final_state(&self, records: &[Record], ids: &[String]) -> Result<(), String> {
        for (index, (record, id)) in records.iter().zip(ids).enumerate() {
            match record.final_state {
                FinalState::Created => Ok(()),
                FinalState::Approved => self.approve(record, id, index).await,
                FinalState::Rejected => self.reject(record, id, index).await,
                FinalState::Suspended => {
                    // With automatic approval the call would change nothing. It would also have no stored answer to find
                    // after an interruption.
                    if (node(record.owner).policies)().auto_approve == Some(false) {
                        self.approve(record, id, index).await?;
                    }
                    self.suspend(record, id, index).await
                }
                FinalState::Archived => self.archive(record, id, index).await,
                FinalState::Held => self.hold(record, id, index).await,
            }?;
        }
        Ok(())
    }

    async fn approve(&self, record: &Record, id: &str, index: usize) -> Result<(), String> {
        let (customer_id, request_id) = (id.to_owned(), request_id(Step::Approve, index));
        let message = pb::ApproveCustomerRequest { customer_id, request_id, ..Default::default() };
        let request = self.request(message, approver(record.owner), record.owner)?;
        into_result(record.name, self.customer_service().approve_customer(request).await).map(drop)
    }

    async fn reject(&self, record: &Record, id: &str, index: usize) -> Result<(), String> {
        let (customer_id, request_id) = (id.to_owned(), request_id(Step::Reject, index));
        let reason = REJECTED.to_owned();
        let message = pb::RejectCustomerRequest { customer_id, reason, request_id, ..Default::default() };
        let request = self.request(message, approver(record.owner), record.owner)?;
        into_result(record.name, self.customer_service().reject_customer(request).await).map(drop)
    }

    async fn suspend(&self, record: &Record, id: &str, index: usize) -> Result<(), String> {
        let (customer_id, request_id) = (id.to_owned(), request_id(Step::Suspend, index));
        let reason = SUSPENDED.to_owned();
        let message = pb::SuspendCustomerRequest { customer_id, reason, request_id, ..Default::default() };
        let request = self.request(message, approver(record.owner), record.owner)?;
        into_result(record.name, self.customer_service().suspend_customer(request).await).map(drop)
    }

    async fn archive(&self, record: &Record, id: &str, index: usize) -> Result<(), String> {
        let (customer_ids, request_id) = (vec![id.to_owned()], request_id(Step::Archive, index));
        let message = pb::ArchiveCustomersRequest { customer_ids, request_id, ..Default::default() };
        let request = self.request(message, creator(record.owner), record.owner)?;
        into_result(record.name, self.customer_service().archive_customers(request).await).map(drop)
    }

    async fn hold(&self, record: &Record, id: &str, index: usize) -> Result<(), String> {
        let (customer_id, request_id) = (id.to_owned(), request_id(Step::Hold, index));
        let (kind, reason) = ("open-orders".to_owned(), HELD.to_owned());
        let message = pb::PlaceHoldRequest { customer_id, kind, reason, request_id, ..Default::default() };
        let request = self.request(message, approver(record.owner), record.owner)?;
        into_result(record.name, self.customer_service().place_hold(request).await).map(drop)
    }

    /// Adds each owner's tags to its customers, with one call for each tag.
    pub(super) async fn add_tags(&self, records: &[Record], ids: &[String]) -> Result<(), String> {
        let mut tagged: BTreeMap<(Owner, &str), Vec<String>> = BTreeMap::new();
        for (record, id) in records.iter().zip(ids) {
            for tag in &record.tags {
                tagged.entry((record.owner, tag)).or_default().push(id.clone());
            }
        }
        for (index, ((owner, tag), customer_ids)) in tagged.into_iter().enumerate() {
            self.add_tag(tag, customer_ids, owner, request_id(Step::Tag, index)).await?;
        }
        Ok(())
    }

    async fn add_tag(
        &self,
        tag: &str,
        customer_ids: Vec<String>,
        owner: Owner,
        request_id: String,
    ) -> Result<(), String> {
        let add_tags = vec![tag.to_owned()];
        let message = pb::ModifyCustomerTagsRequest { customer_ids, add_tags, request_id, ..Default::default() };
        let request = self.request(message, creator(owner), owner)?;
        into_result(tag, self.customer_service().modify_customer_tags(request).await).map(drop)
    }

    /// Links a FLEET customer of the distributor to the dealer: with the dealer's own number and tag.
    pub(super) async fn link_to_dealer(&self, id: &str) -> Result<(), String> {
        let message = pb::UpdateCustomIdRequest {
            customer_id: id.to_owned(),
            system: "dms".to_owned(),
            custom_id: "0080417".to_owned(),
            request_id: request_id(Step::Link, 0),
            ..Default::default()
        };
        let request = self.request(message, creator(Owner::Dealer), Owner::Dealer)?;
        into_result("UpdateCustomId", self.customer_service().update_custom_id(request).await)?;
        self.add_tag("serviced here", vec![id.to_owned()], Owner::Dealer, request_id(Step::Link, 1)).await
    }
}

/// Returns the subject that creates an owner's customers: its first member.
fn creator(owner: Owner) -> &'static str {
    node(owner).members.first().map_or("admin", |(subject, _)| subject)
}

/// Returns the subject that decides on an owner's customers: its ADMIN, or the distributor's if it has none.
fn approver(owner: Owner) -> &'static str {
    let own_admin = node(owner).members.iter().find(|(_, role)| *role == pb::Role::Admin);
    own_admin.map_or("admin", |(subject, _)| subject)
}
