//! The table of RPCs: how each is called, and what its cases need.

use std::pin::Pin;

use clientele::grpc::{money::Money, pb};
use tonic::Status;
use uuid::Uuid;

use crate::billing_report::{Reporting, rows};
use crate::import_customers::{import_one, importing};
use crate::invitations::inviting;
use crate::payment_methods::{add, adding, remove, set_default};
use crate::world::{Client, customer, mask, principal, unknown_id};

/// One RPC, and what its cases need.
pub struct Case {
    /// As in `CustomerService/GetCustomer`.
    pub rpc: &'static str,
    /// The least role, as in DESIGN 3's table.
    pub least: &'static str,
    pub tenancy: Tenancy,
    pub call: Call,
}

/// How an RPC could reach data of another account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenancy {
    /// It names a customer.
    Customer,
    /// It names an account.
    Account,
    /// It names a custom ID of the acting account.
    CustomId,
    /// It names a tag of the acting account.
    Tag,
    /// It names a branch of the acting account.
    Branch,
    /// It names a member of the acting account.
    Member,
    /// It names one of the caller's own memberships, in any account.
    Membership,
    /// It names an invitation to the acting account.
    Invitation,
    /// It names the token of an invitation, to any account.
    InvitationToken,
    /// It names a rate plan of the acting account.
    RatePlan,
    /// It changes what the tenant has: the caller must act in the provider's account.
    Provider,
    /// It names no resource: the acting account decides.
    Acting,
    /// It returns the caller's own identity, in any account.
    Caller,
    /// It is outside all tenants.
    Platform,
}

/// The whole answer as text, or the refusal.
pub type Answer = Pin<Box<dyn Future<Output = Result<String, Status>> + Send>>;
/// Calls the RPC, on the customer or account of this id if it names one.
pub type Call = fn(Client, String) -> Answer;

macro_rules! call {
    ($service:ident.$rpc:ident, $id:pat => $request:expr) => {
        |client, $id| Box::pin(async move { Ok(format!("{:?}", client.$service().$rpc($request).await?.into_inner())) })
    };
}

const fn case(rpc: &'static str, least: &'static str, tenancy: Tenancy, call: Call) -> Case {
    Case { rpc, least, tenancy, call }
}

pub const CASES: &[Case] = &[
    case(
        "AccessService/WhoAmI",
        "AUTHENTICATED",
        Tenancy::Caller,
        call!(access.who_am_i, _ => pb::WhoAmIRequest::default()),
    ),
    case(
        "AccessService/AcceptMembership",
        "AUTHENTICATED",
        Tenancy::Membership,
        call!(access.accept_membership, member_id => pb::AcceptMembershipRequest { member_id, ..Default::default() }),
    ),
    case(
        "AccessService/DeclineMembership",
        "AUTHENTICATED",
        Tenancy::Membership,
        call!(access.decline_membership, member_id => pb::DeclineMembershipRequest { member_id, ..Default::default() }),
    ),
    case(
        "AccessService/ChangeMemberRole",
        "ADMIN",
        Tenancy::Member,
        call!(access.change_member_role, member_id => pb::ChangeMemberRoleRequest {
            member_id,
            role: pb::Role::Member.into(),
            ..Default::default()
        }),
    ),
    case(
        "AccessService/RemoveMember",
        "ADMIN",
        Tenancy::Member,
        call!(access.remove_member, member_id => pb::RemoveMemberRequest { member_id, ..Default::default() }),
    ),
    case(
        "AccessService/InviteMember",
        "ADMIN",
        Tenancy::Acting,
        call!(access.invite_member, _ => inviting(&format!("{}@north.example", Uuid::new_v4()), pb::Role::Viewer)),
    ),
    case(
        "AccessService/ResendInvitation",
        "ADMIN",
        Tenancy::Invitation,
        call!(access.resend_invitation, invitation_id => pb::ResendInvitationRequest {
            invitation_id,
            ..Default::default()
        }),
    ),
    case(
        "AccessService/RevokeInvitation",
        "ADMIN",
        Tenancy::Invitation,
        call!(access.revoke_invitation, invitation_id => pb::RevokeInvitationRequest {
            invitation_id,
            ..Default::default()
        }),
    ),
    case(
        "AccessService/ListInvitations",
        "ADMIN",
        Tenancy::Acting,
        call!(access.list_invitations, _ => pb::ListInvitationsRequest::default()),
    ),
    case(
        "AccessService/AcceptInvitation",
        "AUTHENTICATED",
        Tenancy::InvitationToken,
        call!(access.accept_invitation, token => pb::AcceptInvitationRequest { token, ..Default::default() }),
    ),
    case("AccessService/AddMember", "ADMIN", Tenancy::Acting, call!(access.add_member, _ => add_member())),
    case(
        "AccessService/ListMembers",
        "VIEWER",
        Tenancy::Acting,
        call!(access.list_members, _ => pb::ListMembersRequest { include_inherited: true, ..Default::default() }),
    ),
    case(
        "AccountService/CreateTenant",
        "PLATFORM",
        Tenancy::Platform,
        call!(accounts.create_tenant, _ => new_tenant()),
    ),
    case(
        "AccountService/ListTenants",
        "PLATFORM",
        Tenancy::Platform,
        call!(accounts.list_tenants, _ => pb::ListTenantsRequest::default()),
    ),
    case("AccountService/SuspendTenant", "PLATFORM", Tenancy::Platform, |client, _| {
        Box::pin(async move {
            let tenant_id = client.accounts().create_tenant(new_tenant()).await?.into_inner().tenant.unwrap().id;
            let request = pb::SuspendTenantRequest { tenant_id, ..Default::default() };
            Ok(format!("{:?}", client.accounts().suspend_tenant(request).await?.into_inner()))
        })
    }),
    case("AccountService/ResumeTenant", "PLATFORM", Tenancy::Platform, |client, _| {
        Box::pin(async move {
            let tenant_id = client.accounts().create_tenant(new_tenant()).await?.into_inner().tenant.unwrap().id;
            let request = pb::ResumeTenantRequest { tenant_id, ..Default::default() };
            Ok(format!("{:?}", client.accounts().resume_tenant(request).await?.into_inner()))
        })
    }),
    case("AccountService/CreateAccount", "ADMIN", Tenancy::Acting, call!(accounts.create_account, _ => new_account())),
    case(
        "AccountService/GetAccount",
        "VIEWER",
        Tenancy::Account,
        call!(accounts.get_account, account_id => pb::GetAccountRequest { account_id }),
    ),
    case(
        "AccountService/ListAccounts",
        "VIEWER",
        Tenancy::Acting,
        call!(accounts.list_accounts, _ => pb::ListAccountsRequest { include_descendants: true, ..Default::default() }),
    ),
    case(
        "AccountService/UpdateAccount",
        "ADMIN",
        Tenancy::Account,
        call!(accounts.update_account, id => pb::UpdateAccountRequest {
            account: Some(pb::Account { id, name: Uuid::new_v4().to_string(), ..Default::default() }),
            update_mask: Some(mask(&["name"])),
            ..Default::default()
        }),
    ),
    case(
        "AccountService/SuspendAccount",
        "ADMIN",
        Tenancy::Account,
        call!(accounts.suspend_account, account_id => pb::SuspendAccountRequest { account_id, ..Default::default() }),
    ),
    case(
        "AccountService/ResumeAccount",
        "ADMIN",
        Tenancy::Account,
        call!(accounts.resume_account, account_id => pb::ResumeAccountRequest { account_id, ..Default::default() }),
    ),
    case(
        "AccountService/ListAccountEvents",
        "ADMIN",
        Tenancy::Account,
        call!(accounts.list_account_events, account_id => pb::ListAccountEventsRequest {
            account_id,
            ..Default::default()
        }),
    ),
    case(
        "AccountService/DeleteBranch",
        "ADMIN",
        Tenancy::Branch,
        call!(accounts.delete_branch, branch_id => pb::DeleteBranchRequest { branch_id, ..Default::default() }),
    ),
    case(
        "AccountService/CreateBranch",
        "ADMIN",
        Tenancy::Acting,
        call!(accounts.create_branch, _ => pb::CreateBranchRequest {
            branch: Some(pb::Branch { name: Uuid::new_v4().to_string(), ..Default::default() }),
            ..Default::default()
        }),
    ),
    case(
        "AccountService/UpdateBranch",
        "ADMIN",
        Tenancy::Branch,
        call!(accounts.update_branch, id => pb::UpdateBranchRequest {
            branch: Some(pb::Branch { id, dms_integrated: true, ..Default::default() }),
            update_mask: Some(mask(&["dms_integrated"])),
            ..Default::default()
        }),
    ),
    case(
        "AccountService/ListBranches",
        "VIEWER",
        Tenancy::Acting,
        call!(accounts.list_branches, _ => pb::ListBranchesRequest::default()),
    ),
    case(
        "AccountService/ListIndustries",
        "VIEWER",
        Tenancy::Acting,
        call!(accounts.list_industries, _ => pb::ListIndustriesRequest::default()),
    ),
    case(
        "AccountService/ListReferenceData",
        "VIEWER",
        Tenancy::Acting,
        call!(accounts.list_reference_data, _ => pb::ListReferenceDataRequest::default()),
    ),
    case("TagService/ListTags", "VIEWER", Tenancy::Acting, call!(tags.list_tags, _ => pb::ListTagsRequest::default())),
    case(
        "TagService/CreateTag",
        "MEMBER",
        Tenancy::Acting,
        call!(tags.create_tag, _ => pb::CreateTagRequest { name: Uuid::new_v4().to_string(), ..Default::default() }),
    ),
    case(
        "TagService/RenameTag",
        "SERVICE_MANAGER",
        Tenancy::Tag,
        call!(tags.rename_tag, tag_id => pb::RenameTagRequest {
            tag_id,
            name: Uuid::new_v4().to_string(),
            ..Default::default()
        }),
    ),
    case(
        "TagService/DeleteTag",
        "SERVICE_MANAGER",
        Tenancy::Tag,
        call!(tags.delete_tag, tag_id => pb::DeleteTagRequest { tag_id, ..Default::default() }),
    ),
    case(
        "CustomerService/BatchGetCustomers",
        "VIEWER",
        // It lists the missing ids as the request has them.
        Tenancy::Acting,
        call!(customers.batch_get_customers, _ => pb::BatchGetCustomersRequest {
            customer_ids: vec![Uuid::now_v7().to_string()],
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/LookupCustomer",
        "VIEWER",
        Tenancy::CustomId,
        call!(customers.lookup_customer, custom_id => pb::LookupCustomerRequest { custom_id, ..Default::default() }),
    ),
    case(
        "CustomerService/SearchCustomers",
        "VIEWER",
        Tenancy::Acting,
        call!(customers.search_customers, _ => pb::SearchCustomersRequest {
            include_descendants: true,
            include_total_size: true,
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/CheckNameAvailability",
        "MEMBER",
        Tenancy::Acting,
        call!(customers.check_name_availability, _ => pb::CheckNameAvailabilityRequest { name: "Ada".to_owned() }),
    ),
    case(
        "CustomerService/FindDuplicateCustomers",
        "VIEWER",
        Tenancy::Customer,
        call!(customers.find_duplicate_customers, customer_id => pb::FindDuplicateCustomersRequest {
            customer_id,
            customer: None,
        }),
    ),
    case(
        "CustomerService/UpsertCustomer",
        "MEMBER",
        Tenancy::Customer,
        call!(customers.upsert_customer, id => pb::UpsertCustomerRequest {
            customer: Some(pb::Customer { id, ..customer("Renamed") }),
            update_mask: Some(mask(&["name"])),
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/UpdateCustomId",
        "MEMBER",
        Tenancy::Customer,
        call!(customers.update_custom_id, customer_id => pb::UpdateCustomIdRequest {
            custom_id: customer_id.clone(),
            customer_id,
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/ModifyCustomerTags",
        "MEMBER",
        Tenancy::Customer,
        call!(customers.modify_customer_tags, id => pb::ModifyCustomerTagsRequest {
            customer_ids: vec![id],
            add_tags: vec!["vip".to_owned()],
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/CreateCustomer",
        "MEMBER",
        Tenancy::Acting,
        call!(customers.create_customer, _ => pb::CreateCustomerRequest {
            customer: Some(customer("New")),
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/GetCustomer",
        "VIEWER",
        Tenancy::Customer,
        call!(customers.get_customer, customer_id => pb::GetCustomerRequest {
            customer_id,
            view: pb::CustomerView::Full.into(),
        }),
    ),
    case(
        "CustomerService/UpdateCustomer",
        "MEMBER",
        Tenancy::Customer,
        call!(customers.update_customer, id => pb::UpdateCustomerRequest {
            customer: Some(pb::Customer { id, ..customer("Renamed") }),
            update_mask: Some(mask(&["name"])),
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/ApproveCustomer",
        "ADMIN",
        Tenancy::Customer,
        call!(customers.approve_customer, customer_id => pb::ApproveCustomerRequest { customer_id, ..Default::default() }),
    ),
    case(
        "CustomerService/RejectCustomer",
        "ADMIN",
        Tenancy::Customer,
        call!(customers.reject_customer, customer_id => pb::RejectCustomerRequest {
            customer_id,
            reason: "no".to_owned(),
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/SuspendCustomer",
        "SERVICE_MANAGER",
        Tenancy::Customer,
        call!(customers.suspend_customer, customer_id => pb::SuspendCustomerRequest {
            customer_id,
            reason: "unpaid".to_owned(),
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/ResumeCustomer",
        "SERVICE_MANAGER",
        Tenancy::Customer,
        call!(customers.resume_customer, customer_id => pb::ResumeCustomerRequest { customer_id, ..Default::default() }),
    ),
    case("BillingService/AddPaymentMethod", "MEMBER", Tenancy::Customer, |client, customer_id| {
        Box::pin(async move { Ok(format!("{:?}", add(&client, &adding(&customer_id)).await?)) })
    }),
    case("BillingService/SetDefaultPaymentMethod", "MEMBER", Tenancy::Customer, |client, customer_id| {
        Box::pin(async move {
            // The first one is the default already.
            add(&client, &adding(&customer_id)).await?;
            let second = add(&client, &adding(&customer_id)).await?.payment_method.unwrap();
            Ok(format!("{:?}", set_default(&client, &customer_id, &second.id).await?))
        })
    }),
    case("BillingService/RemovePaymentMethod", "MEMBER", Tenancy::Customer, |client, customer_id| {
        Box::pin(async move {
            let added = add(&client, &adding(&customer_id)).await?.payment_method.unwrap();
            Ok(format!("{:?}", remove(&client, &customer_id, &added.id).await?))
        })
    }),
    case(
        "BillingService/ListPaymentMethods",
        "VIEWER",
        Tenancy::Customer,
        call!(billing.list_payment_methods, customer_id => pb::ListPaymentMethodsRequest { customer_id }),
    ),
    case("BillingService/StreamBillingReport", "MEMBER", Tenancy::Acting, |client, _| {
        Box::pin(async move { Ok(format!("{:?}", rows(&client, &Reporting::default()).await?)) })
    }),
    case(
        "CustomerService/PlaceHold",
        "SERVICE_MANAGER",
        Tenancy::Customer,
        call!(customers.place_hold, customer_id => pb::PlaceHoldRequest {
            customer_id,
            kind: "open-orders".to_owned(),
            reason: "two to deliver".to_owned(),
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/ReleaseHold",
        "SERVICE_MANAGER",
        Tenancy::Customer,
        call!(customers.release_hold, customer_id => pb::ReleaseHoldRequest {
            customer_id,
            hold_id: Uuid::new_v4().to_string(),
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/ArchiveCustomers",
        "MEMBER",
        Tenancy::Customer,
        call!(customers.archive_customers, id => pb::ArchiveCustomersRequest {
            customer_ids: vec![id],
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/UnarchiveCustomers",
        "MEMBER",
        Tenancy::Customer,
        call!(customers.unarchive_customers, id => pb::UnarchiveCustomersRequest {
            customer_ids: vec![id],
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/MigrateCustomerToReseller",
        "ADMIN",
        Tenancy::Customer,
        call!(customers.migrate_customer_to_reseller, customer_id => pb::MigrateCustomerToResellerRequest {
            customer_id,
            admin_email: "admin@company.nl".to_owned(),
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/RevertCustomerMigration",
        "ADMIN",
        Tenancy::Customer,
        call!(customers.revert_customer_migration, customer_id => pb::RevertCustomerMigrationRequest {
            customer_id,
            ..Default::default()
        }),
    ),
    case("CustomerService/TransferCustomers", "ADMIN", Tenancy::Customer, |client, id| {
        Box::pin(async move {
            // To the acting account itself, if there is one.
            let acting = client.accounts().get_account(pb::GetAccountRequest::default()).await;
            let account_id = acting.map_or_else(|_| unknown_id(), |acting| acting.into_inner().account.unwrap().id);
            let request = pb::TransferCustomersRequest { customer_ids: vec![id], account_id, ..Default::default() };
            Ok(format!("{:?}", client.customers().transfer_customers(request).await?.into_inner()))
        })
    }),
    case("CustomerService/MergeCustomers", "SERVICE_MANAGER", Tenancy::Customer, |client, id| {
        Box::pin(async move {
            // With another customer of the same account, if there is one.
            let query = "Twin".to_owned();
            let search = pb::SearchCustomersRequest { query, include_descendants: true, ..Default::default() };
            let others = client.customers().search_customers(search).await.map(|found| found.into_inner().results);
            let others = others.unwrap_or_default().into_iter().filter_map(|result| result.customer);
            let owner = client.get(&id).await.map(|customer| customer.account_id).unwrap_or_default();
            let free = |other: &pb::Customer| other.id != id && other.account_id == owner && other.name == "Twin";
            let other = others.into_iter().find(free).map_or_else(unknown_id, |other| other.id);
            let request = pb::MergeCustomersRequest {
                customer_id: id.clone(),
                merged_customer_ids: vec![other],
                ..Default::default()
            };
            Ok(format!("{:?}", client.customers().merge_customers(request).await?.into_inner()))
        })
    }),
    case(
        "CustomerService/UnmergeCustomers",
        "SERVICE_MANAGER",
        Tenancy::Customer,
        call!(customers.unmerge_customers, customer_id => pb::UnmergeCustomersRequest {
            customer_id,
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/EraseCustomer",
        "ADMIN",
        Tenancy::Customer,
        call!(customers.erase_customer, customer_id => pb::EraseCustomerRequest { customer_id, ..Default::default() }),
    ),
    case("ExchangeService/ImportCustomers", "SERVICE_MANAGER", Tenancy::Customer, |client, id| {
        Box::pin(import_one(client, importing(vec![pb::Customer { id, ..customer("Imported") }], &["name"])))
    }),
    case(
        "ExchangeService/ExportSubjectData",
        "ADMIN",
        Tenancy::Customer,
        call!(exchange.export_subject_data, customer_id => pb::ExportSubjectDataRequest {
            customer_id,
            page_size: 1_000,
            ..Default::default()
        }),
    ),
    case(
        "BillingService/ListRatePlans",
        "VIEWER",
        Tenancy::Acting,
        call!(billing.list_rate_plans, _ => pb::ListRatePlansRequest::default()),
    ),
    case(
        "BillingService/CreateRatePlan",
        "ADMIN",
        Tenancy::Acting,
        call!(billing.create_rate_plan, _ => pb::CreateRatePlanRequest {
            rate_plan: Some(rate_plan("New")),
            ..Default::default()
        }),
    ),
    case(
        "BillingService/UpdateRatePlan",
        "ADMIN",
        Tenancy::RatePlan,
        call!(billing.update_rate_plan, id => pb::UpdateRatePlanRequest {
            rate_plan: Some(pb::RatePlan { id, ..rate_plan(&unknown_id()) }),
            update_mask: Some(mask(&["name"])),
            ..Default::default()
        }),
    ),
    case("BillingService/ReorderRatePlans", "ADMIN", Tenancy::Acting, |client, _| {
        Box::pin(async move {
            let mut rate_plan_ids = plans_of(&client).await;
            rate_plan_ids.reverse();
            let request = pb::ReorderRatePlansRequest { rate_plan_ids, ..Default::default() };
            Ok(format!("{:?}", client.billing().reorder_rate_plans(request).await?.into_inner()))
        })
    }),
    case(
        "BillingService/ArchiveRatePlan",
        "ADMIN",
        Tenancy::RatePlan,
        call!(billing.archive_rate_plan, rate_plan_id => pb::ArchiveRatePlanRequest { rate_plan_id, ..Default::default() }),
    ),
    case(
        "BillingService/ListFeatures",
        "VIEWER",
        Tenancy::Acting,
        call!(billing.list_features, _ => pb::ListFeaturesRequest::default()),
    ),
    case(
        "BillingService/CreateFeature",
        "ADMIN",
        Tenancy::Provider,
        call!(billing.create_feature, _ => pb::CreateFeatureRequest {
            feature: Some(feature(&unknown_id())),
            ..Default::default()
        }),
    ),
    case(
        "BillingService/UpdateFeature",
        "ADMIN",
        Tenancy::Provider,
        call!(billing.update_feature, _ => pb::UpdateFeatureRequest {
            feature: Some(pb::Feature { name: unknown_id(), ..feature(FREE) }),
            update_mask: Some(mask(&["name"])),
            ..Default::default()
        }),
    ),
    case(
        "BillingService/ActivateFeature",
        "MEMBER",
        Tenancy::Customer,
        call!(billing.activate_feature, customer_id => pb::ActivateFeatureRequest {
            customer_id,
            code: FREE.to_owned(),
            ..Default::default()
        }),
    ),
    case(
        "BillingService/DeactivateFeature",
        "MEMBER",
        Tenancy::Customer,
        call!(billing.deactivate_feature, customer_id => pb::DeactivateFeatureRequest {
            customer_id,
            code: FREE.to_owned(),
            ..Default::default()
        }),
    ),
    case(
        "BillingService/ListActiveFeatures",
        "VIEWER",
        Tenancy::Customer,
        call!(billing.list_active_features, customer_id => pb::ListActiveFeaturesRequest { customer_id }),
    ),
    case(
        "BillingService/SetCreditLimit",
        "SERVICE_MANAGER",
        Tenancy::Customer,
        call!(billing.set_credit_limit, customer_id => pb::SetCreditLimitRequest {
            customer_id,
            credit_limit: Some(Money { units: 100, ..Default::default() }),
            ..Default::default()
        }),
    ),
    case("BillingService/AssignRatePlan", "SERVICE_MANAGER", Tenancy::Customer, |client, customer_id| {
        Box::pin(async move {
            // One that applies to the owner, if the caller sees the customer.
            let owner = client.get(&customer_id).await.map(|customer| client.acting_in(&customer.account_id));
            let rate_plan_id = plans_of(owner.as_ref().unwrap_or(&client)).await.pop().unwrap_or_else(unknown_id);
            let request = pb::AssignRatePlanRequest { customer_id, rate_plan_id, ..Default::default() };
            Ok(format!("{:?}", client.billing().assign_rate_plan(request).await?.into_inner()))
        })
    }),
    case(
        "HistoryService/ListCustomerEvents",
        "VIEWER",
        Tenancy::Customer,
        call!(history.list_customer_events, customer_id => pb::ListCustomerEventsRequest {
            customer_id,
            ..Default::default()
        }),
    ),
];

/// The code of a feature that costs nothing.
pub const FREE: &str = "free";

/// A feature that costs nothing.
pub fn feature(code: &str) -> pb::Feature {
    let classes = [pb::ServiceClass::Normal, pb::ServiceClass::Residential];
    pb::Feature {
        code: code.to_owned(),
        name: code.to_owned(),
        service_classes: classes.map(i32::from).into(),
        ..Default::default()
    }
}

/// A plan without prices.
pub fn rate_plan(name: &str) -> pb::RatePlan {
    pb::RatePlan { name: name.to_owned(), currency: "EUR".to_owned(), ..Default::default() }
}

/// The plans that apply where the client acts; one that does not exist if it cannot list them.
async fn plans_of(client: &Client) -> Vec<String> {
    let listed = client.billing().list_rate_plans(pb::ListRatePlansRequest::default()).await;
    let plans = listed.map(|listed| listed.into_inner().rate_plans).unwrap_or_default();
    let ids: Vec<String> = plans.into_iter().map(|plan| plan.id).collect();
    if ids.is_empty() { vec![unknown_id()] } else { ids }
}

fn add_member() -> pb::AddMemberRequest {
    let someone = Some(principal(&Uuid::new_v4().to_string()));
    pb::AddMemberRequest { principal: someone, role: pb::Role::Viewer.into(), ..Default::default() }
}

fn new_tenant() -> pb::CreateTenantRequest {
    pb::CreateTenantRequest {
        tenant: Some(pb::Tenant { name: "New".to_owned(), ..Default::default() }),
        first_admin: Some(principal("new-admin")),
        ..Default::default()
    }
}

fn new_account() -> pb::CreateAccountRequest {
    pb::CreateAccountRequest {
        account: Some(pb::Account { name: "New".to_owned(), ..Default::default() }),
        ..Default::default()
    }
}
