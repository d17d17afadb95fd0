//! Mutations, one of each RPC, of a customer whose documents have fields of a newer release: the fields stay. And of each of
//! them the repeat whose answer a newer release has stored: it is not executed again.

use std::{collections::BTreeMap, pin::Pin};

use clientele::grpc::pb;
use serde_json::{Value, json};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;
use uuid::Uuid;

use super::{ADDED, Stage};
use crate::{
    billing::{create_feature, create_plan, eur, feature, rate_plan},
    contract::cases::FREE,
    import_customers::{import_one, importing},
    invitations::{invited, inviting, token_by_key},
    payment_methods::{self, adding},
    rows::rows,
    world::{Client, TestAccount, assert_refused, customer, full_customer, mask, principal, request_id},
};

type Answer = Pin<Box<dyn Future<Output = Result<String, Status>> + Send>>;

/// What the requests name.
#[derive(Clone)]
pub(super) struct Names {
    customer: pb::Customer,
    /// Another customer of the account.
    twin: String,
    shop: String,
    tag: String,
    branch: String,
    hold: String,
    /// One that is not the default.
    payment_method: String,
    /// A member of the account.
    member: String,
    /// The admin's own membership in another tenant.
    named: String,
    /// Another tenant.
    tenant: String,
    /// An invitation to the account.
    invitation: String,
    /// The token of an invitation to another tenant's account.
    token: String,
    /// The account's rate plans.
    plans: Vec<String>,
}

/// One mutation in the life of the customer.
pub(super) struct Step {
    pub(super) rpc: &'static str,
    /// Makes it possible: a statement before it, or nothing.
    before: &'static str,
    call: fn(Client, Names, String) -> Answer,
}

macro_rules! step {
    ($rpc:literal, $before:literal, $service:ident.$method:ident, ($names:pat, $request_id:ident) => $request:expr) => {
        Step {
            rpc: $rpc,
            before: $before,
            call: |client, $names, $request_id| {
                Box::pin(async move {
                    let answer = client.$service().$method($request).await?.into_inner();
                    assert!(!answer.replayed);
                    Ok(format!("{answer:?}"))
                })
            },
        }
    };
}

/// Every mutation of the contract, in an order in which each changes something.
pub(super) const STEPS: &[Step] = &[
    step!("CustomerService/RejectCustomer", "", customers.reject_customer, (Names { customer, .. }, request_id) =>
        pb::RejectCustomerRequest {
            customer_id: customer.id,
            reason: "no".to_owned(),
            request_id,
            ..Default::default()
        }
    ),
    step!("CustomerService/ApproveCustomer", "", customers.approve_customer, (Names { customer, .. }, request_id) =>
        pb::ApproveCustomerRequest { customer_id: customer.id, request_id, ..Default::default() }
    ),
    step!("CustomerService/UpdateCustomer", "", customers.update_customer, (Names { customer, .. }, request_id) =>
        pb::UpdateCustomerRequest {
            customer: Some(edited(customer)),
            update_mask: Some(mask(&[
                "name", "legal_name", "tax_ids", "primary_address.city", "billing_address", "contacts", "phone", "labels.tier",
            ])),
            request_id,
            ..Default::default()
        }
    ),
    step!("CustomerService/UpsertCustomer", "", customers.upsert_customer, (Names { customer, .. }, request_id) =>
        pb::UpsertCustomerRequest {
            customer: Some(pb::Customer { industry: "Retail".to_owned(), ..customer }),
            update_mask: Some(mask(&["industry"])),
            request_id,
            ..Default::default()
        }
    ),
    Step {
        rpc: "ExchangeService/ImportCustomers",
        before: "",
        call: |client, Names { customer, .. }, request_id| {
            let row = pb::Customer { industry: "Manufacturing".to_owned(), ..customer };
            let request = pb::ImportCustomersRequest { request_id, ..importing(vec![row], &["industry"]) };
            Box::pin(import_one(client, request))
        },
    },
    step!("CustomerService/UpdateCustomId", "", customers.update_custom_id, (Names { customer, .. }, request_id) =>
        pb::UpdateCustomIdRequest {
            customer_id: customer.id,
            system: "erp".to_owned(),
            custom_id: "00124".to_owned(),
            request_id,
            ..Default::default()
        }
    ),
    step!("BillingService/CreateFeature", "", billing.create_feature, (_, request_id) =>
        pb::CreateFeatureRequest { feature: Some(feature("new")), request_id, ..Default::default() }
    ),
    step!("BillingService/UpdateFeature", "", billing.update_feature, (_, request_id) =>
        pb::UpdateFeatureRequest {
            feature: Some(pb::Feature { name: "Free".to_owned(), ..feature(FREE) }),
            update_mask: Some(mask(&["name"])),
            request_id,
            ..Default::default()
        }
    ),
    step!("BillingService/AssignRatePlan", "", billing.assign_rate_plan, (Names { customer, plans, .. }, request_id) =>
        pb::AssignRatePlanRequest {
            customer_id: customer.id,
            rate_plan_id: plans[1].clone(),
            request_id,
            ..Default::default()
        }
    ),
    step!("BillingService/SetCreditLimit", "", billing.set_credit_limit, (Names { customer, .. }, request_id) =>
        pb::SetCreditLimitRequest {
            customer_id: customer.id,
            credit_limit: Some(eur(10)),
            request_id,
            ..Default::default()
        }
    ),
    step!("BillingService/ActivateFeature", "", billing.activate_feature, (Names { customer, .. }, request_id) =>
        pb::ActivateFeatureRequest {
            customer_id: customer.id,
            code: FREE.to_owned(),
            request_id,
            ..Default::default()
        }
    ),
    step!("BillingService/DeactivateFeature", "", billing.deactivate_feature, (Names { customer, .. }, request_id) =>
        pb::DeactivateFeatureRequest {
            customer_id: customer.id,
            code: FREE.to_owned(),
            request_id,
            ..Default::default()
        }
    ),
    step!("BillingService/ReorderRatePlans", "", billing.reorder_rate_plans, (Names { plans, .. }, request_id) =>
        pb::ReorderRatePlansRequest {
            rate_plan_ids: plans.into_iter().rev().collect(),
            request_id,
            ..Default::default()
        }
    ),
    step!("BillingService/CreateRatePlan", "", billing.create_rate_plan, (_, request_id) =>
        pb::CreateRatePlanRequest { rate_plan: Some(rate_plan("New")), request_id, ..Default::default() }
    ),
    step!("BillingService/UpdateRatePlan", "", billing.update_rate_plan, (Names { plans, .. }, request_id) =>
        pb::UpdateRatePlanRequest {
            rate_plan: Some(pb::RatePlan { id: plans[0].clone(), ..rate_plan("Other") }),
            update_mask: Some(mask(&["name"])),
            request_id,
            ..Default::default()
        }
    ),
    step!("BillingService/ArchiveRatePlan", "", billing.archive_rate_plan, (Names { plans, .. }, request_id) =>
        pb::ArchiveRatePlanRequest { rate_plan_id: plans[0].clone(), request_id, ..Default::default() }
    ),
    step!("TagService/CreateTag", "", tags.create_tag, (_, request_id) =>
        pb::CreateTagRequest { name: "new".to_owned(), request_id, ..Default::default() }
    ),
    step!("TagService/RenameTag", "", tags.rename_tag, (Names { tag, .. }, request_id) =>
        pb::RenameTagRequest { tag_id: tag, name: "gold".to_owned(), request_id, ..Default::default() }
    ),
    step!("CustomerService/ModifyCustomerTags", "", customers.modify_customer_tags, (Names { customer, .. }, request_id) =>
        pb::ModifyCustomerTagsRequest {
            customer_ids: vec![customer.id],
            add_tags: vec!["gold".to_owned(), "new".to_owned(), "newest".to_owned()],
            request_id,
            ..Default::default()
        }
    ),
    step!("TagService/DeleteTag", "", tags.delete_tag, (Names { tag, .. }, request_id) =>
        pb::DeleteTagRequest { tag_id: tag, request_id, ..Default::default() }
    ),
    step!("CustomerService/SuspendCustomer", "", customers.suspend_customer, (Names { customer, .. }, request_id) =>
        pb::SuspendCustomerRequest {
            customer_id: customer.id,
            reason: "unpaid".to_owned(),
            request_id,
            ..Default::default()
        }
    ),
    step!("CustomerService/ResumeCustomer", "", customers.resume_customer, (Names { customer, .. }, request_id) =>
        pb::ResumeCustomerRequest { customer_id: customer.id, request_id, ..Default::default() }
    ),
    step!("BillingService/AddPaymentMethod", "", billing.add_payment_method, (Names { customer, .. }, request_id) =>
        pb::AddPaymentMethodRequest { request_id, ..adding(&customer.id) }
    ),
    step!("BillingService/SetDefaultPaymentMethod", "", billing.set_default_payment_method,
        (Names { customer, payment_method, .. }, request_id) =>
        pb::SetDefaultPaymentMethodRequest {
            customer_id: customer.id,
            payment_method_id: payment_method,
            request_id,
            ..Default::default()
        }
    ),
    step!("BillingService/RemovePaymentMethod", "", billing.remove_payment_method,
        (Names { customer, payment_method, .. }, request_id) =>
        pb::RemovePaymentMethodRequest {
            customer_id: customer.id,
            payment_method_id: payment_method,
            request_id,
            ..Default::default()
        }
    ),
    step!("CustomerService/PlaceHold", "", customers.place_hold, (Names { customer, .. }, request_id) =>
        pb::PlaceHoldRequest {
            customer_id: customer.id,
            kind: "returns".to_owned(),
            reason: "one to take back".to_owned(),
            request_id,
            ..Default::default()
        }
    ),
    step!("CustomerService/ReleaseHold", "", customers.release_hold, (Names { customer, hold, .. }, request_id) =>
        pb::ReleaseHoldRequest { customer_id: customer.id, hold_id: hold, request_id, ..Default::default() }
    ),
    step!("CustomerService/ArchiveCustomers", "", customers.archive_customers, (Names { customer, .. }, request_id) =>
        pb::ArchiveCustomersRequest { customer_ids: vec![customer.id], request_id, ..Default::default() }
    ),
    step!("CustomerService/UnarchiveCustomers", "", customers.unarchive_customers, (Names { customer, .. }, request_id) =>
        pb::UnarchiveCustomersRequest { customer_ids: vec![customer.id], request_id, ..Default::default() }
    ),
    step!("CustomerService/MergeCustomers", "update customers set holds = '[]' where id = $1", customers.merge_customers, (Names { customer, twin, .. }, request_id) =>
        pb::MergeCustomersRequest {
            customer_id: customer.id,
            merged_customer_ids: vec![twin],
            request_id,
            ..Default::default()
        }
    ),
    step!("CustomerService/UnmergeCustomers", "", customers.unmerge_customers, (Names { twin, .. }, request_id) =>
        pb::UnmergeCustomersRequest { customer_id: twin, request_id, ..Default::default() }
    ),
    step!("AccountService/CreateBranch", "", accounts.create_branch, (_, request_id) =>
        pb::CreateBranchRequest {
            branch: Some(pb::Branch { name: "Airport".to_owned(), ..Default::default() }),
            request_id,
            ..Default::default()
        }
    ),
    step!("AccountService/UpdateBranch", "", accounts.update_branch, (Names { branch, .. }, request_id) =>
        pb::UpdateBranchRequest {
            branch: Some(pb::Branch { id: branch, dms_integrated: true, ..Default::default() }),
            update_mask: Some(mask(&["dms_integrated"])),
            request_id,
            ..Default::default()
        }
    ),
    step!("AccountService/DeleteBranch", "", accounts.delete_branch, (Names { branch, .. }, request_id) =>
        pb::DeleteBranchRequest { branch_id: branch, request_id, ..Default::default() }
    ),
    step!("AccountService/UpdateAccount", "", accounts.update_account, (Names { customer, .. }, request_id) =>
        pb::UpdateAccountRequest {
            account: Some(pb::Account { id: customer.account_id, name: "North Sea".to_owned(), ..Default::default() }),
            update_mask: Some(mask(&["name"])),
            request_id,
            ..Default::default()
        }
    ),
    step!("AccountService/SuspendAccount", "", accounts.suspend_account, (Names { shop, .. }, request_id) =>
        pb::SuspendAccountRequest { account_id: shop, request_id, ..Default::default() }
    ),
    step!("AccountService/ResumeAccount", "", accounts.resume_account, (Names { shop, .. }, request_id) =>
        pb::ResumeAccountRequest { account_id: shop, request_id, ..Default::default() }
    ),
    step!("AccountService/SuspendTenant", "", accounts.suspend_tenant, (Names { tenant, .. }, request_id) =>
        pb::SuspendTenantRequest { tenant_id: tenant, request_id, ..Default::default() }
    ),
    step!("AccountService/ResumeTenant", "", accounts.resume_tenant, (Names { tenant, .. }, request_id) =>
        pb::ResumeTenantRequest { tenant_id: tenant, request_id, ..Default::default() }
    ),
    step!("AccessService/AddMember", "", access.add_member, (_, request_id) =>
        pb::AddMemberRequest {
            principal: Some(principal("newcomer")),
            role: pb::Role::Viewer.into(),
            request_id,
            ..Default::default()
        }
    ),
    step!("AccessService/AcceptMembership", "", access.accept_membership, (Names { named, .. }, request_id) =>
        pb::AcceptMembershipRequest { member_id: named, request_id, ..Default::default() }
    ),
    step!("AccessService/DeclineMembership", "", access.decline_membership, (Names { named, .. }, request_id) =>
        pb::DeclineMembershipRequest { member_id: named, request_id, ..Default::default() }
    ),
    step!("AccessService/ChangeMemberRole", "", access.change_member_role, (Names { member, .. }, request_id) =>
        pb::ChangeMemberRoleRequest {
            member_id: member,
            role: pb::Role::ServiceManager.into(),
            request_id,
            ..Default::default()
        }
    ),
    step!("AccessService/RemoveMember", "", access.remove_member, (Names { member, .. }, request_id) =>
        pb::RemoveMemberRequest { member_id: member, request_id, ..Default::default() }
    ),
    step!("AccessService/InviteMember", "", access.invite_member, (_, request_id) =>
        pb::InviteMemberRequest { request_id, ..inviting("max@north.example", pb::Role::Viewer) }
    ),
    step!("AccessService/ResendInvitation", "", access.resend_invitation, (Names { invitation, .. }, request_id) =>
        pb::ResendInvitationRequest { invitation_id: invitation, request_id, ..Default::default() }
    ),
    step!("AccessService/RevokeInvitation", "", access.revoke_invitation, (Names { invitation, .. }, request_id) =>
        pb::RevokeInvitationRequest { invitation_id: invitation, request_id, ..Default::default() }
    ),
    step!("AccessService/AcceptInvitation", "", access.accept_invitation, (Names { token, .. }, request_id) =>
        pb::AcceptInvitationRequest { token, request_id, ..Default::default() }
    ),
    step!("AccountService/CreateAccount", "", accounts.create_account, (_, request_id) =>
        pb::CreateAccountRequest {
            account: Some(pb::Account { name: "kiosk".to_owned(), ..Default::default() }),
            request_id,
            ..Default::default()
        }
    ),
    step!("AccountService/CreateTenant", "", accounts.create_tenant, (_, request_id) =>
        pb::CreateTenantRequest {
            tenant: Some(pb::Tenant { name: "globex".to_owned(), ..Default::default() }),
            first_admin: Some(principal("globex-admin")),
            request_id,
            ..Default::default()
        }
    ),
    step!("CustomerService/CreateCustomer", "", customers.create_customer, (_, request_id) =>
        pb::CreateCustomerRequest { customer: Some(full_customer("Twin")), request_id, ..Default::default() }
    ),
    step!(
        "CustomerService/MigrateCustomerToReseller",
        "update customers set holds = '[]' where id = $1",
        customers.migrate_customer_to_reseller,
        (Names { customer, .. }, request_id) => pb::MigrateCustomerToResellerRequest {
            customer_id: customer.id,
            first_admin: Some(principal("reseller-admin")),
            copy_custom_ids: true,
            copy_tags: true,
            request_id,
            ..Default::default()
        }
    ),
    step!("CustomerService/RevertCustomerMigration", "", customers.revert_customer_migration,
        (Names { customer, .. }, request_id) =>
        pb::RevertCustomerMigrationRequest { customer_id: customer.id, request_id, ..Default::default() }
    ),
    step!("CustomerService/TransferCustomers", "", customers.transfer_customers, (Names { customer, shop, .. }, request_id) =>
        pb::TransferCustomersRequest {
            customer_ids: vec![customer.id],
            account_id: shop,
            request_id,
            ..Default::default()
        }
    ),
    // The last one: it empties the documents.
    step!("CustomerService/EraseCustomer", "", customers.erase_customer, (Names { customer, .. }, request_id) =>
        pb::EraseCustomerRequest { customer_id: customer.id, request_id, ..Default::default() }
    ),
];

/// Other values in parts and wholes, each of which was there before.
fn edited(customer: pb::Customer) -> pb::Customer {
    let mut edited =
        pb::Customer { legal_name: "Copaco Nederland B.V.".to_owned(), name: "Copaco 2".to_owned(), ..customer };
    edited.tax_ids.push(pb::TaxId { value: "1".to_owned(), ..Default::default() });
    edited.primary_address.as_mut().unwrap().city = "Utrecht".to_owned();
    edited.billing_address = Some(pb::Address { line1: "Oudegracht 1".to_owned(), ..Default::default() });
    edited.contacts[0].first_name = "Johan".to_owned();
    edited.contacts[0].phone.as_mut().unwrap().extension = "13".to_owned();
    edited.phone.as_mut().unwrap().extension = "13".to_owned();
    edited.labels.insert("tier".to_owned(), "gold".to_owned());
    edited
}

/// The documents of the customer and of its owner.
#[derive(Debug, sqlx::FromRow)]
struct Documents {
    profile: Value,
    holds: Value,
    migration: Option<Value>,
    created_by: Value,
    custom_ids: Value,
    policies: Value,
}

impl Documents {
    async fn read(stage: &Stage) -> Self {
        let read = "
            select c.profile, c.holds, c.migration, c.created_by, l.custom_ids, a.policies
            from customers c
            join accounts a on a.id = $2
            join customer_links l on l.customer_id = c.id and l.account_id = $2
            where c.id = $1
        ";
        let [id, north] = [&stage.customer.id, &stage.north.account].map(|id| Uuid::parse_str(id).unwrap());
        sqlx::query_as(read).bind(id).bind(north).fetch_one(&mut stage.world.sql().await).await.unwrap()
    }

    /// What a newer release would have made of them: a field more in every object, and a custom ID of a system that this
    /// release would refuse.
    async fn age(stage: &Stage) -> Self {
        let mut documents = Self::read(stage).await;
        let Self { profile, holds, migration, created_by, policies, custom_ids } = &mut documents;
        for document in [profile, holds, created_by, policies].into_iter().chain(migration) {
            add(document);
        }
        custom_ids["New System"] = "7".into();
        let write = "
            with a as (update accounts set policies = $6 where id = $7),
                 l as (update customer_links set custom_ids = $8 where customer_id = $1 and account_id = $7)
            update customers set profile = $2, holds = $3, migration = $4, created_by = $5,
                                 owner_custom_ids = case when account_id = $7 then $8 else owner_custom_ids end
            where id = $1
        ";
        let [id, north] = [&stage.customer.id, &stage.north.account].map(|id| Uuid::parse_str(id).unwrap());
        let Self { profile, holds, migration, created_by, policies, custom_ids } = &documents;
        let query = sqlx::query(write).bind(id).bind(profile).bind(holds).bind(migration).bind(created_by);
        query.bind(policies).bind(north).bind(custom_ids).execute(&mut stage.world.sql().await).await.unwrap();
        documents
    }

    /// Asserts that what the step did not take away has kept its added fields.
    fn assert_kept(&self, before: &Self, rpc: &str) {
        let places = places(&before.profile);
        assert!(places.len() >= 9, "{places:?}");
        for place in places {
            assert_eq!(added(&self.profile, &place), added(&before.profile, &place), "{rpc}: profile{place}");
        }
        let by_id = |holds: &Value| -> BTreeMap<String, Value> {
            let holds = holds.as_array().unwrap().iter();
            holds.map(|hold| (hold["hold_id"].as_str().unwrap().to_owned(), hold.clone())).collect()
        };
        let (now, then) = (by_id(&self.holds), by_id(&before.holds));
        for (id, hold) in &now {
            assert!(then.get(id).is_none_or(|before| before == hold), "{rpc}: {hold}");
        }
        let kept = now.keys().filter(|id| then.contains_key(*id)).count();
        assert_eq!(kept, then.len() - usize::from(rpc.ends_with("ReleaseHold")), "{rpc}: {now:?}");
        if let Some(migration) = &before.migration {
            let kept = self.migration.as_ref().unwrap();
            assert_eq!(added(kept, ""), added(migration, ""), "{rpc}: {kept}");
        }
        assert_eq!((&self.created_by, &self.policies), (&before.created_by, &before.policies), "{rpc}");
        assert_eq!(self.custom_ids["New System"], "7", "{rpc}: {}", self.custom_ids);
    }
}

/// The objects of a document whose fields are ours; the keys of labels are the clients'.
fn places(document: &Value) -> Vec<String> {
    fn visit(document: &Value, at: &str, found: &mut Vec<String>) {
        match document {
            Value::Object(fields) if at != "/labels" && !at.ends_with(ADDED) => {
                found.push(at.to_owned());
                fields.iter().for_each(|(name, value)| visit(value, &format!("{at}/{name}"), found));
            }
            Value::Array(items) if !at.ends_with(ADDED) => {
                items.iter().enumerate().for_each(|(place, item)| visit(item, &format!("{at}/{place}"), found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    visit(document, "", &mut found);
    found
}

fn add(document: &mut Value) {
    for place in places(document) {
        document.pointer_mut(&place).unwrap()[ADDED] = json!({"at": place, "list": [1, null, "ß"]});
    }
}

fn added<'a>(document: &'a Value, place: &str) -> Option<&'a Value> {
    document.pointer(place).and_then(|object| object.get(ADDED))
}

/// The customer's documents after some life: all that a client may write, and two holds.
async fn lived() -> (Stage, Names) {
    let stage = Stage::set().await;
    let Stage { north, customer, .. } = &stage;
    north.admin.tag(&[&customer.id], &["vip"], &[]).await.unwrap();
    for kind in ["orders", "invoices"] {
        crate::place_hold::place(&north.admin, &customer.id, kind).await.unwrap();
    }
    let mut payment_method = String::new();
    for _ in 0..2 {
        let added = payment_methods::add(&north.admin, &adding(&customer.id)).await.unwrap();
        payment_method = added.payment_method.unwrap().id;
    }
    let seen = north.admin.get(&customer.id).await.unwrap();
    let me = north.admin.access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap().into_inner();
    let elsewhere = stage.world.tenant("elsewhere").await;
    create_feature(&stage.acme.admin, feature(FREE)).await.unwrap();
    let mut plans = Vec::new();
    for name in ["Standard", "Value"] {
        plans.push(create_plan(&north.admin, rate_plan(name)).await.unwrap().id);
    }
    let names = Names {
        member: north.add("clerk", pb::Role::Viewer).await.member_id,
        named: elsewhere.add(&me.principal.unwrap().subject, pb::Role::Viewer).await.member_id,
        invitation: invited(north, "nora@north.example").await.invitation_id,
        token: token_by_key(&elsewhere.tenant, &invited(&elsewhere, "nora@north.example").await.invitation_id),
        twin: north.admin.create(crate::world::customer("Twin")).await.unwrap().id,
        shop: north.child("shop").await.account,
        tag: seen.tags[0].id.clone(),
        branch: north.branch("Harbour").await,
        hold: seen.holds[1].hold_id.clone(),
        payment_method,
        tenant: stage.world.tenant("initech").await.tenant,
        plans,
        customer: seen,
    };
    (stage, names)
}

/// Who makes a step: the platform's operator or the reseller's admin, for the catalogue in the provider's account.
fn client(stage: &Stage, north: &TestAccount, rpc: &str) -> Client {
    match rpc {
        rpc if rpc.ends_with("Tenant") => stage.world.operator(),
        // The catalogue is the provider's.
        "BillingService/CreateFeature" | "BillingService/UpdateFeature" => north.admin.acting_in(&north.tenant),
        _ => north.admin.clone(),
    }
}

/// How often the customer or the link to it has changed.
async fn revisions(stage: &Stage) -> (i64, i64) {
    let read = "select revision, (select sum(l.revision)::bigint from customer_links l where l.customer_id = c.id)
                from customers c where c.id = $1";
    let id = Uuid::parse_str(&stage.customer.id).unwrap();
    sqlx::query_as(read).bind(id).fetch_one(&mut stage.world.sql().await).await.unwrap()
}

#[tokio::test]
async fn fields_of_a_newer_release_survive_every_mutation_and_no_answer_shows_them() {
    let (stage, names) = Box::pin(lived()).await;
    for step in STEPS {
        if !step.before.is_empty() {
            stage.sql(step.before).await;
        }
        let (before, revision) = (Documents::age(&stage).await, revisions(&stage).await);
        let answer = (step.call)(client(&stage, &stage.north, step.rpc), names.clone(), String::new()).await;
        let answer = answer.unwrap_or_else(|refused| panic!("{}: {refused:?}", step.rpc));
        let changed = revisions(&stage).await != revision;
        assert_eq!(changed, super::words::REFUSED.contains(&step.rpc), "{} changes the customer or its link", step.rpc);
        if step.rpc.ends_with("EraseCustomer") {
            // Who may see a field of a newer release is unknown, so it goes with the others.
            let erased = Documents::read(&stage).await;
            assert_eq!((&erased.profile, &erased.custom_ids, &erased.holds), (&json!({}), &json!({}), &json!([])));
            assert_eq!(erased.migration.as_ref().and_then(|migration| added(migration, "")), None);
            continue;
        }
        Documents::read(&stage).await.assert_kept(&before, step.rpc);

        let seen = format!("{:?}", stage.north.admin.get(&names.customer.id).await.unwrap());
        let events = format!("{:?}", stage.north.admin.events(&names.customer.id).await.unwrap());
        for shown in [answer, seen, events] {
            assert!(!shown.contains(ADDED), "{}: {shown}", step.rpc);
        }
    }
    let inherited = "select bool_and(policies ? 'of_newer_release') from accounts where name = 'kiosk'";
    let inherited: Option<bool> = sqlx::query_scalar(inherited).fetch_one(&mut stage.world.sql().await).await.unwrap();
    assert_eq!(inherited, Some(true), "a new account gets its parent's policies");
}

#[tokio::test]
async fn a_repeat_whose_answer_a_newer_release_stored_is_not_executed_again() {
    let (stage, names) = Box::pin(lived()).await;
    for step in STEPS {
        if !step.before.is_empty() {
            stage.sql(step.before).await;
        }
        let request_id = request_id();
        let call = || (step.call)(client(&stage, &stage.north, step.rpc), names.clone(), request_id.clone());
        call().await.unwrap_or_else(|refused| panic!("{}: {refused:?}", step.rpc));
        // A row of an import has a key of its own.
        let newest = "select request_id, answer from requests order by created_at desc limit 1";
        let (key, answer): (Uuid, Value) =
            sqlx::query_as(newest).fetch_one(&mut stage.world.sql().await).await.unwrap();
        assert_eq!(answer["v"], 1, "{}", step.rpc);
        for (name, value) in [("v", json!(2)), ("of", json!("an invoice"))] {
            let mut newer = answer.clone();
            newer[name] = value;
            store(&stage, key, &newer).await;
            let before = rows(&stage.world).await;
            let refused = assert_refused(call().await, Code::Unavailable, "ANSWER_OF_NEWER_RELEASE");
            assert!(refused.get_details_retry_info().is_some(), "another server may answer: {}", step.rpc);
            assert_eq!(rows(&stage.world).await, before, "{}", step.rpc);
        }
        store(&stage, key, &answer).await;
    }
}

async fn store(stage: &Stage, key: Uuid, answer: &Value) {
    let update = "update requests set answer = $1 where request_id = $2";
    let done = sqlx::query(update).bind(answer).bind(key).execute(&mut stage.world.sql().await).await.unwrap();
    assert_eq!(done.rows_affected(), 1);
}

#[tokio::test]
async fn clearing_an_address_clears_what_a_newer_release_stored_in_it() {
    let stage = Stage::set().await;
    Documents::age(&stage).await;
    let (admin, id) = (&stage.north.admin, stage.customer.id.clone());
    let cleared = pb::Customer { id: id.clone(), ..customer("Copaco") };
    admin.update(cleared, &["billing_address"]).await.unwrap();
    let documents = Documents::read(&stage).await;
    assert_eq!(documents.profile.get("billing_address"), None);
    // Part by part it stays: this release does not know whether the rest means something without them.
    let parts =
        ["line1", "line2", "city", "state", "postal_code", "country"].map(|part| format!("primary_address.{part}"));
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let seen = admin.update(pb::Customer { id, ..customer("Copaco") }, &parts).await.unwrap();
    assert_eq!(seen.primary_address, None);
    let documents = Documents::read(&stage).await;
    assert_eq!(places(&documents.profile["primary_address"]), [""]);
    assert!(added(&documents.profile, "/primary_address").is_some());
}
