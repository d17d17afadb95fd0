//! What decides rights fails closed: roles, policies and the rule on names of a newer release.

use clientele::{
    domain::requests::contract::{Access, RPCS},
    grpc::pb,
};
use sqlx::AssertSqlSafe;
use tonic::{Code, Status};

use super::of_newer_release;
use crate::{
    accept_membership::{accept, accepting},
    change_member_role::{change, changing},
    custom_ids::{upsert, with_custom_ids},
    decline_membership::{decline, declining},
    messages::send,
    remove_member::{remove, removing},
    rows::rows,
    world::{
        Client, TestAccount, World, assert_refused, customer, full_customer, manual_approval, mask, metadata,
        request_id, unknown_id,
    },
};

/// The words of these tests: a role, a rule on names.
pub(super) const WORDS: [&str; 2] = ["OWNER", "BRANCH"];

/// A tenant with an account below, and a member of it who acts on a server that has not met them yet.
struct Office {
    world: World,
    acme: TestAccount,
    north: TestAccount,
    /// A PENDING customer of north with the custom ID `erp` 7.
    customer: pb::Customer,
}

impl Office {
    async fn open() -> Self {
        let world = World::start().await;
        of_newer_release(&world).await;
        let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
        let north = acme.child("north").await;
        north.add("ada", pb::Role::Admin).await;
        let customer = north.admin.create(with_custom_ids("Copaco", &[("erp", "7")])).await.unwrap();
        Self { world, acme, north, customer }
    }

    /// Ada in north, on a server that remembers nothing from before these statements.
    async fn after(&self, statements: &str) -> (World, Client) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut self.world.sql().await).await.unwrap();
        let replica = World::start_with(self.world.database.clone(), |_| ()).await;
        let ada = replica.subject("ada").acting_in(&self.north.account);
        (replica, ada)
    }
}

fn assert_newer<T: std::fmt::Debug>(result: Result<T, Status>, what: &str) {
    let refused = assert_refused(result, Code::FailedPrecondition, "VALUE_OF_NEWER_RELEASE");
    assert!(refused.message().contains(what), "{}", refused.message());
}

#[tokio::test]
async fn an_unknown_role_gives_no_right_and_is_listed_as_unspecified() {
    let office = Office::open().await;
    let (replica, ada) = office.after("update members set role = 'OWNER' where subject = 'ada'").await;
    let before = rows(&office.world).await;
    for rpc in RPCS.iter().filter(|rpc| matches!(rpc.access, Access::Least(_))) {
        let refused = send(&ada, rpc.path, Vec::new()).await;
        assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
    }
    assert_eq!(rows(&office.world).await, before);

    let me = replica.subject("ada").access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap().into_inner();
    assert_eq!(
        me.memberships.iter().map(|one| (one.account_id.as_str(), one.role)).collect::<Vec<_>>(),
        [(office.north.account.as_str(), 0)]
    );
    let listed = office.north.admin.access().list_members(pb::ListMembersRequest::default()).await;
    let roles: Vec<i32> = listed.unwrap().into_inner().members.iter().map(|member| member.role).collect();
    assert_eq!(roles, [0]);
}

#[tokio::test]
async fn a_member_with_an_unknown_role_stays_as_it_is() {
    let office = Office::open().await;
    let admin = &office.north.admin;
    let listed = admin.access().list_members(pb::ListMembersRequest::default()).await.unwrap().into_inner();
    let id = listed.members[0].member_id.clone();
    let (replica, _) = office.after("update members set role = 'OWNER' where subject = 'ada'").await;
    let before = rows(&office.world).await;
    let what = "the member's role";
    assert_newer(change(admin, changing(&id, pb::Role::Viewer)).await, what);
    assert_newer(remove(admin, removing(&id)).await, what);
    let ada = replica.subject("ada");
    assert_newer(accept(&ada, accepting(&id)).await, what);
    assert_newer(decline(&ada, declining(&id)).await, what);
    assert_eq!(rows(&office.world).await, before);
}

#[tokio::test]
async fn a_known_role_further_up_counts_beside_an_unknown_one() {
    let office = Office::open().await;
    office.acme.add("ada", pb::Role::Viewer).await;
    let (_replica, ada) =
        office.after("update members set role = 'OWNER' where subject = 'ada' and role = 'ADMIN'").await;
    assert!(ada.get(&office.customer.id).await.is_ok());
    assert_refused(ada.create(customer("Bob")).await, Code::PermissionDenied, "ROLE_TOO_LOW");
}

#[tokio::test]
async fn an_unknown_required_field_refuses_creation_and_approval_and_the_account_is_still_shown() {
    let office = Office::open().await;
    for list in ["required_to_create", "required_to_approve"] {
        let asks = format!(
            r#"update accounts set policies = policies - 'required_to_create' - 'required_to_approve'
               || '{{"{list}": ["name", "rate_plan_id", "labels.tier"]}}' where id = '{}'"#,
            office.north.account
        );
        let (replica, ada) = office.after(&asks).await;
        let what = "a required field in the account's policies";
        assert_newer(ada.create(full_customer("Bob")).await, what);
        assert_newer(ada.upsert(upsert(with_custom_ids("Bob", &[("erp", "8")]), &["name"])).await, what);
        let validated = pb::CreateCustomerRequest {
            customer: Some(full_customer("Bob")),
            validate_only: true,
            ..Default::default()
        };
        assert_newer(ada.customers().create_customer(validated).await, what);
        assert_newer(ada.approve(&office.customer.id).await, what);
        let seen = ada.get(&office.customer.id).await.unwrap();
        assert!(!seen.allowed_actions.contains(&"ApproveCustomer".to_owned()), "{:?}", seen.allowed_actions);
        assert!(seen.allowed_actions.contains(&"UpdateCustomer".to_owned()), "{:?}", seen.allowed_actions);

        let account = ada.accounts().get_account(pb::GetAccountRequest::default()).await.unwrap().into_inner();
        let policies = account.account.unwrap().policies.unwrap();
        let [create, approve] =
            [policies.required_to_create, policies.required_to_approve].map(|paths| paths.unwrap().paths);
        let asked = if list == "required_to_create" { create } else { approve };
        assert_eq!(asked, ["name", "rate_plan_id", "labels.tier"]);
        let listed = replica.subject("ada").acting_in(&office.north.account).accounts();
        assert!({ listed }.list_accounts(pb::ListAccountsRequest::default()).await.is_ok());
        // What the policy does not decide goes on.
        let renamed = pb::Customer { id: office.customer.id.clone(), ..customer(list) };
        assert_eq!(ada.update(renamed, &["name"]).await.unwrap().name, list);
        ada.reject(&office.customer.id, "no").await.unwrap();
    }
}

#[tokio::test]
async fn a_policy_that_a_newer_release_sets_holds_at_once_and_repeats_get_their_answers() {
    let office = Office::open().await;
    let create =
        pb::CreateCustomerRequest { customer: Some(customer("Bob")), request_id: request_id(), ..Default::default() };
    let admin = &office.north.admin;
    let first = admin.customers().create_customer(create.clone()).await.unwrap().into_inner();
    let asks = r#"update accounts set policies = policies || '{"required_to_approve": ["rate_plan_id"]}', revision = revision + 1"#;
    sqlx::raw_sql(asks).execute(&mut office.world.sql().await).await.unwrap();
    // This server still remembers the account as it was; the statement that creates does not.
    assert_newer(admin.create(customer("Eve")).await, "a required field");
    let again = admin.customers().create_customer(create).await.unwrap().into_inner();
    assert!(again.replayed);
    assert_eq!(again.customer, first.customer);
}

#[tokio::test]
async fn an_unknown_role_in_a_policy_lets_in_no_one() {
    let office = Office::open().await;
    let create =
        pb::CreateCustomerRequest { customer: Some(customer("Bob")), request_id: request_id(), ..Default::default() };
    let (_first, ada) = office.after("").await;
    ada.customers().create_customer(create.clone()).await.unwrap();
    let asks = r#"update accounts set policies = policies || '{"create_role": "OWNER", "custom_id_role": "OWNER"}'"#;
    let (_replica, ada) = office.after(asks).await;
    let what = "a role in the account's policies";
    assert_newer(ada.create(customer("Eve")).await, what);
    // Who may not create does not get the answer of an earlier creation either.
    assert_newer(ada.customers().create_customer(create).await, what);
    assert_newer(ada.set_id(&office.customer.id, "erp", "9").await, what);
    let seen = ada.get(&office.customer.id).await.unwrap();
    assert!(!seen.allowed_actions.contains(&"UpdateCustomId".to_owned()), "{:?}", seen.allowed_actions);
    let account = ada.accounts().get_account(pb::GetAccountRequest::default()).await.unwrap().into_inner();
    let policies = account.account.unwrap().policies.unwrap();
    assert_eq!((policies.create_role, policies.custom_id_role), (0, 0));
}

#[tokio::test]
async fn a_new_account_inherits_the_policies_that_this_server_does_not_know() {
    let office = Office::open().await;
    let asks = r#"update accounts set policies = policies || '{
        "required_to_create": ["rate_plan_id", "email"], "create_role": "OWNER", "of_newer_release": {"limit": 7}
    }'"#;
    let (_replica, ada) = office.after(asks).await;
    let copies = "select count(*) filter (where a.policies = p.policies), count(*)
                  from accounts a join accounts p on p.tenant_id = a.tenant_id and p.id = a.parent_id";
    let request = pb::CreateAccountRequest {
        account: Some(pb::Account { name: "shop".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    ada.accounts().create_account(request).await.unwrap();
    ada.approve(&office.customer.id).await.unwrap_err();
    sqlx::raw_sql("update customers set status = 'ACTIVE'").execute(&mut office.world.sql().await).await.unwrap();
    ada.migrate(&office.customer.id).await.unwrap();
    let counts: (i64, i64) = sqlx::query_as(copies).fetch_one(&mut office.world.sql().await).await.unwrap();
    assert_eq!(counts, (3, 3), "north, the new account and the one made of the customer");
}

#[tokio::test]
async fn an_unknown_rule_on_names_refuses_what_names_must_be_unique_for() {
    let office = Office::open().await;
    let shop = office.north.child("shop").await;
    let other = office.north.admin.create(customer("Other")).await.unwrap().id;
    sqlx::raw_sql("update customers set status = 'ACTIVE'").execute(&mut office.world.sql().await).await.unwrap();
    office.north.admin.migrate(&other).await.unwrap();
    let (replica, ada) = office.after("update tenants set name_uniqueness = 'BRANCH'").await;
    let what = "the tenant's name_uniqueness";
    let id = &office.customer.id;
    let before = rows(&office.world).await;
    let revert = pb::RevertCustomerMigrationRequest { customer_id: other.clone(), ..Default::default() };
    let name = pb::CheckNameAvailabilityRequest { name: "Bob".to_owned() };
    let renamed = pb::Customer { id: id.clone(), ..customer("Renamed") };
    assert_newer(ada.create(customer("Bob")).await, what);
    assert_newer(ada.upsert(upsert(with_custom_ids("Bob", &[("erp", "8")]), &["name"])).await, what);
    assert_newer(ada.upsert(upsert(with_custom_ids("Renamed", &[("erp", "7")]), &["name"])).await, what);
    assert_newer(ada.update(renamed, &["name"]).await, what);
    assert_newer(ada.transfer(&[id], &shop.account).await, what);
    assert_newer(ada.migrate(id).await, what);
    assert_newer(ada.customers().revert_customer_migration(revert).await, what);
    assert_newer(ada.customers().check_name_availability(name).await, what);
    assert_eq!(rows(&office.world).await, before);

    let seen = ada.get(id).await.unwrap();
    for action in ["MigrateCustomerToReseller", "TransferCustomers"] {
        assert!(!seen.allowed_actions.contains(&action.to_owned()), "{:?}", seen.allowed_actions);
    }
    // The same key is no new name, and other fields need no rule.
    for (name, path) in [("COPACO", "name"), ("Copaco", "legal_name")] {
        let edit = pb::Customer { id: id.clone(), legal_name: "Copaco B.V.".to_owned(), ..customer(name) };
        ada.update(edit, &[path]).await.unwrap();
    }
    ada.transfer(&[id], &office.north.account).await.expect("it is there already");

    let account = ada.accounts().get_account(pb::GetAccountRequest::default()).await.unwrap().into_inner();
    assert_eq!(account.account.unwrap().name_uniqueness, 0);
    let tenants = replica.operator().accounts().list_tenants(pb::ListTenantsRequest::default()).await;
    assert_eq!(tenants.unwrap().into_inner().tenants[0].name_uniqueness, 0);
    let absent = ada.get(&unknown_id()).await;
    assert_eq!(
        metadata(&assert_refused(absent, Code::NotFound, "CUSTOMER_NOT_FOUND"), "field").as_deref(),
        Some("customer_id")
    );
}

async fn update(client: &Client, account: pb::Account, path: &str) -> Result<pb::Account, Status> {
    let request =
        pb::UpdateAccountRequest { account: Some(account), update_mask: Some(mask(&[path])), ..Default::default() };
    Ok(client.accounts().update_account(request).await?.into_inner().account.unwrap())
}

#[tokio::test]
async fn an_update_of_an_account_keeps_what_this_server_does_not_know() {
    let office = Office::open().await;
    office.acme.add("ada", pb::Role::Admin).await;
    let asks = r#"with asked as (
        update accounts set policies = policies || '{
            "required_to_create": ["rate_plan_id", "email"], "create_role": "OWNER", "of_newer_release": {"limit": 7}
        }'
    )
    update tenants set name_uniqueness = 'BRANCH'"#;
    let (_replica, ada) = office.after(asks).await;
    let acme = ada.acting_in(&office.acme.account);
    for (client, id) in [(&ada, &office.north.account), (&acme, &office.acme.account)] {
        let named = pb::Account { id: id.clone(), name: "Renamed".to_owned(), ..Default::default() };
        assert_eq!(update(client, named, "name").await.unwrap().name, "Renamed");
        let policies = pb::AccountPolicies { auto_approve: Some(true), ..Default::default() };
        let approving = pb::Account { id: id.clone(), policies: Some(policies), ..Default::default() };
        let after = update(client, approving, "policies.auto_approve").await.unwrap();
        assert_eq!((after.policies.unwrap().create_role, after.name_uniqueness), (0, 0));
    }
    let kept = "select bool_and(a.policies @> '{
                    \"required_to_create\": [\"rate_plan_id\", \"email\"], \"create_role\": \"OWNER\", \"auto_approve\": true,
                    \"of_newer_release\": {\"limit\": 7}
                }' and a.name = 'Renamed' and t.name = 'Renamed' and t.name_uniqueness = 'BRANCH')
                from accounts a join tenants t using (tenant_id)";
    let kept: Option<bool> = sqlx::query_scalar(kept).fetch_one(&mut office.world.sql().await).await.unwrap();
    assert_eq!(kept, Some(true));

    let before = rows(&office.world).await;
    for rule in [pb::NameUniqueness::None, pb::NameUniqueness::Tenant] {
        let ruling =
            pb::Account { id: office.acme.account.clone(), name_uniqueness: rule.into(), ..Default::default() };
        assert_newer(update(&acme, ruling, "name_uniqueness").await, "the tenant's name_uniqueness");
    }
    assert_eq!(rows(&office.world).await, before);
}
