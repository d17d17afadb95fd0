//! UpdateAccount: name and policies. `name_rule.rs` has the tenant's rule on names.

use std::time::Instant;

use clientele::grpc::pb::{self, UpdateAccountRequest as Updating};
use tonic::{Code, Status};

use crate::{
    rows::rows,
    world::{
        Client, World, assert_refused, at_once, bad_fields, customer, mask, metadata, repeat_at_once, request_id,
        requiring, unknown_id, until, wire,
    },
};

fn updating(id: &str, account: pb::Account, paths: &[&str]) -> Updating {
    let account = Some(pb::Account { id: id.to_owned(), ..account });
    Updating { account, update_mask: Some(mask(paths)), ..Default::default() }
}

fn named(name: &str) -> pb::Account {
    pb::Account { name: name.to_owned(), ..Default::default() }
}

fn with(policies: pb::AccountPolicies) -> pb::Account {
    pb::Account { policies: Some(policies), ..Default::default() }
}

async fn call(client: &Client, request: &Updating) -> Result<pb::UpdateAccountResponse, Status> {
    Ok(client.accounts().update_account(request.clone()).await?.into_inner())
}

async fn update(client: &Client, id: &str, account: pb::Account, paths: &[&str]) -> Result<pb::Account, Status> {
    Ok(call(client, &updating(id, account, paths)).await?.account.unwrap())
}

async fn get(client: &Client, id: &str) -> pb::Account {
    let request = pb::GetAccountRequest { account_id: id.to_owned() };
    client.accounts().get_account(request).await.unwrap().into_inner().account.unwrap()
}

const ALL: [&str; 8] = [
    "name",
    "policies.required_to_create",
    "policies.required_to_approve",
    "policies.auto_approve",
    "policies.create_role",
    "policies.custom_id_role",
    "policies.default_currency",
    "policies.default_region",
];

fn strict() -> pb::AccountPolicies {
    pb::AccountPolicies {
        auto_approve: Some(false),
        create_role: pb::Role::ServiceManager.into(),
        custom_id_role: pb::Role::Admin.into(),
        default_currency: Some("EUR".to_owned()),
        default_region: Some("NL".to_owned()),
        ..requiring(&["email"], &["phone", "custom_ids.erp"])
    }
}

#[tokio::test]
async fn each_path_changes_its_field_and_nothing_else() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let all = pb::Account { name: " North  Sea ".to_owned(), policies: Some(strict()), ..Default::default() };
    for path in ALL {
        let north = acme.child("north").await;
        let before = get(&acme.admin, &north.account).await;
        let after = update(&acme.admin, &north.account, all.clone(), &[path]).await.unwrap();
        let mut wanted = before.clone();
        let policies = wanted.policies.as_mut().unwrap();
        match path {
            "name" => wanted.name = "North Sea".to_owned(),
            "policies.required_to_create" => policies.required_to_create = strict().required_to_create,
            "policies.required_to_approve" => policies.required_to_approve = strict().required_to_approve,
            "policies.auto_approve" => policies.auto_approve = Some(false),
            "policies.create_role" => policies.create_role = pb::Role::ServiceManager.into(),
            "policies.custom_id_role" => policies.custom_id_role = pb::Role::Admin.into(),
            "policies.default_currency" => policies.default_currency = Some("EUR".to_owned()),
            "policies.default_region" => policies.default_region = Some("NL".to_owned()),
            other => panic!("{other}"),
        }
        assert_eq!(after, wanted, "{path}");
        assert_eq!(get(&acme.admin, &north.account).await, wanted, "{path}");
    }
    let north = acme.child("north").await;
    let after = update(&north.admin, &north.account, all.clone(), &ALL).await.unwrap();
    assert_eq!((after.name.as_str(), after.policies.as_ref()), ("North Sea", Some(&strict())), "its own admin");
    let before = rows(&world).await;
    update(&north.admin, &north.account, all, &ALL).await.unwrap();
    assert_eq!(rows(&world).await, before, "a call that changes nothing writes nothing");

    // Named and empty: cleared, where that is possible.
    let cleared = ["policies.required_to_create", "policies.default_currency", "policies.default_region"];
    let after = update(&north.admin, &north.account, pb::Account::default(), &cleared).await.unwrap();
    let policies = after.policies.unwrap();
    assert_eq!(policies.required_to_create, Some(pb::FieldPaths::default()));
    assert_eq!((policies.default_currency, policies.default_region), (None, None));
    assert_eq!(policies.required_to_approve, strict().required_to_approve);
}

#[tokio::test]
async fn the_providers_name_is_its_tenants() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    update(&acme.admin, &acme.account, named("Acme Holding"), &["name"]).await.unwrap();
    let listed =
        world.operator().accounts().list_tenants(pb::ListTenantsRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.tenants[0].name, "Acme Holding");
}

#[tokio::test]
async fn malformed_updates_report_every_error() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    let refused = async |request: Updating| {
        let refused = call(&acme.admin, &request).await;
        let mut fields = bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS"));
        fields.sort();
        fields
    };
    let id = &acme.account;
    assert_eq!(refused(Updating { update_mask: None, ..updating(id, named("x"), &[]) }).await, ["update_mask"]);
    assert_eq!(refused(updating(id, named("x"), &[])).await, ["update_mask"]);
    let unknown = ["*", "id", "policies", "policies.x", "create_time", "state", ""];
    let places: Vec<String> = (0..7).map(|n| format!("update_mask.paths[{n}]")).collect();
    assert_eq!(refused(updating(id, named("x"), &unknown)).await, places);
    let unset = ["name", "policies.auto_approve", "policies.create_role", "policies.custom_id_role"];
    let mut fields = unset.map(|path| format!("account.{path}")).to_vec();
    fields.push("account.id".to_owned());
    fields.sort();
    assert_eq!(refused(updating("7", pb::Account::default(), &unset)).await, fields);
    let wrong = pb::AccountPolicies { create_role: pb::Role::Viewer.into(), ..requiring(&["nothing"], &[]) };
    assert_eq!(
        refused(updating(id, with(wrong), &["policies.create_role", "policies.required_to_create"])).await,
        ["account.policies.create_role", "account.policies.required_to_create.paths[0]"]
    );
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn an_account_above_beside_or_of_another_tenant_does_not_exist() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let absent = update(&north.admin, &unknown_id(), named("x"), &["name"]).await.unwrap_err();
    let before = rows(&world).await;
    for id in [&acme.account, &south.account, &globex.account] {
        let refused = update(&north.admin, id, named("x"), &["name"]).await;
        let refused = assert_refused(refused, Code::NotFound, "ACCOUNT_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::ServiceManager] {
        let client = acme.member(role).await;
        let refused = update(&client, &north.account, named("x"), &["name"]).await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    }
    let narrowed = north.admin.narrowed_to(&unknown_id());
    let refused = update(&narrowed, &north.account, named("x"), &["name"]).await;
    assert_refused(refused, Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
    assert_eq!(rows(&world).await["accounts"], before["accounts"]);
}

#[tokio::test]
async fn policies_apply_to_the_next_call_and_on_another_server_within_two_seconds() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    north.add("nora", pb::Role::Member).await;
    let replica = World::start_with(world.database.clone(), |_| ()).await;
    let nora = replica.subject("nora").acting_in(&north.account);
    let ada = nora.create(customer("Ada")).await.unwrap();
    let required = pb::AccountPolicies { create_role: pb::Role::Admin.into(), ..requiring(&["email"], &[]) };
    let paths = ["policies.required_to_create", "policies.create_role"];
    update(&acme.admin, &north.account, with(required), &paths).await.unwrap();
    assert_refused(north.admin.create(customer("Bob")).await, Code::InvalidArgument, "REQUIRED_FIELDS_MISSING");
    // A create names the revision of the account that it was decided by.
    assert_refused(nora.create(customer("Bob")).await, Code::PermissionDenied, "ROLE_TOO_LOW");

    let policy = pb::AccountPolicies { custom_id_role: pb::Role::Member.into(), ..Default::default() };
    let changed = Instant::now();
    update(&acme.admin, &north.account, with(policy), &["policies.custom_id_role"]).await.unwrap();
    until("the other server uses the policy", async || {
        let set =
            pb::UpdateCustomIdRequest { customer_id: ada.id.clone(), custom_id: "7".to_owned(), ..Default::default() };
        nora.customers().update_custom_id(set).await.is_ok()
    })
    .await;
    assert!(changed.elapsed().as_secs() < 10, "{:?}", changed.elapsed());
}

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let request = Updating { request_id: request_id(), ..updating(&north.account, named("Venlo"), &["name"]) };
    let answers = repeat_at_once(12, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    update(&acme.admin, &north.account, named("Weert"), &["name"]).await.unwrap();
    let repeat = call(&acme.admin, &request).await.unwrap();
    assert!(repeat.replayed);
    assert_eq!(repeat.account.unwrap().name, "Venlo", "as it was then");
    assert_eq!(get(&acme.admin, &north.account).await.name, "Weert");
    let other = Updating { account: updating(&north.account, named("Breda"), &[]).account, ..request };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn writers_of_different_fields_all_succeed() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let all = pb::Account { policies: Some(strict()), ..named("North Sea") };
    let calls = ALL.into_iter().map(|path| {
        let (client, request) = (acme.admin.clone(), updating(&north.account, all.clone(), &[path]));
        async move { call(&client, &request).await }
    });
    for answer in at_once(calls).await {
        answer.unwrap();
    }
    let after = get(&acme.admin, &north.account).await;
    assert_eq!((after.name.as_str(), after.policies), ("North Sea", Some(strict())));
}

#[tokio::test]
async fn validate_only_checks_everything_and_changes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let before = rows(&world).await;
    let only = Updating {
        validate_only: true,
        request_id: request_id(),
        ..updating(&north.account, named("Weert"), &["name"])
    };
    assert_eq!(call(&acme.admin, &only).await.unwrap().account.unwrap().name, "Weert");
    let absent = Updating { account: updating(&unknown_id(), named("Weert"), &[]).account, ..only };
    assert_refused(call(&acme.admin, &absent).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    assert_eq!(rows(&world).await, before);
}
