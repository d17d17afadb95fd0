//! The industries of a tenant: UpdateAccount of the provider changes them, and customers are compared with them.

use clientele::grpc::pb::{self, UpdateAccountRequest as Updating};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    rows::rows,
    world::{Client, World, assert_refused, bad_fields, customer, mask, request_id, until},
};

fn industry(code: &str, name: &str) -> pb::Industry {
    pb::Industry { code: code.to_owned(), name: name.to_owned() }
}

fn own() -> Vec<pb::Industry> {
    vec![industry("kfz", "Kraftfahrzeuge"), industry("finance", "Finanzen"), industry("bau", "Bau")]
}

/// By code, as they are returned.
fn by_code() -> Vec<pb::Industry> {
    let mut list = own();
    list.sort_by(|one, other| one.code.cmp(&other.code));
    list
}

fn setting(account: &str, industries: Vec<pb::Industry>) -> Updating {
    let account = pb::Account { id: account.to_owned(), industries, ..Default::default() };
    Updating { account: Some(account), update_mask: Some(mask(&["industries"])), ..Default::default() }
}

async fn set(client: &Client, request: Updating) -> Result<pb::UpdateAccountResponse, Status> {
    Ok(client.accounts().update_account(request).await?.into_inner())
}

async fn listed(client: &Client) -> Vec<pb::Industry> {
    client.accounts().list_industries(pb::ListIndustriesRequest {}).await.unwrap().into_inner().industries
}

fn in_industry(name: &str, industry: &str) -> pb::Customer {
    pb::Customer { industry: industry.to_owned(), ..customer(name) }
}

#[tokio::test]
async fn the_provider_sets_the_list_of_its_tenant_and_of_no_other() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let north = acme.child("north").await;
    let usual = listed(&north.admin).await;
    let updated = set(&acme.admin, setting(&acme.account, own())).await.unwrap().account.unwrap();
    assert_eq!(updated.industries, by_code());
    let viewer = north.member(pb::Role::Viewer).await;
    assert_eq!(listed(&viewer).await, by_code());
    let data = pb::ListReferenceDataRequest::default();
    let data = viewer.accounts().list_reference_data(data).await.unwrap().into_inner();
    assert_eq!(data.industries, by_code());
    assert_eq!(listed(&globex.admin).await, usual);
    let get = async |client: &Client| {
        let read = client.accounts().get_account(pb::GetAccountRequest::default()).await.unwrap();
        read.into_inner().account.unwrap().industries
    };
    assert_eq!(get(&acme.admin).await, by_code());
    assert_eq!(get(&north.admin).await, [], "of the provider's account alone");

    // Codes and names are understood, and the usual names of a code.
    for (written, code) in [("kfz", "kfz"), ("KRAFTFAHRZEUGE", "kfz"), ("Banking", "finance")] {
        let made = north.admin.create(in_industry(written, written)).await.unwrap();
        assert_eq!(made.industry, code, "{written}");
        let renamed = pb::Customer { industry: "Bau".to_owned(), ..made };
        assert_eq!(north.admin.update(renamed, &["industry"]).await.unwrap().industry, "bau");
    }
    let refused =
        assert_refused(north.admin.create(in_industry("Ada", "retail")).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["customer.industry"]);
    assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].reason, "INDUSTRY");
    globex.admin.create(in_industry("Ada", "retail")).await.unwrap();

    let event = pb::ListAccountEventsRequest::default();
    let event = acme.admin.accounts().list_account_events(event).await.unwrap().into_inner().events.remove(0);
    assert_eq!(event.changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>(), ["industries"]);
    // An empty list brings the usual one back.
    assert_eq!(set(&acme.admin, setting(&acme.account, Vec::new())).await.unwrap().account.unwrap().industries, usual);
    assert_eq!(listed(&north.admin).await, usual);
}

#[tokio::test]
async fn customers_keep_what_the_list_no_longer_has_and_say_so() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(in_industry("Ada", "Retail")).await.unwrap();
    assert!(ada.invalid_fields.is_empty());
    set(&acme.admin, setting(&acme.account, own())).await.unwrap();
    let now = acme.admin.get(&ada.id).await.unwrap();
    let invalid: Vec<_> = now.invalid_fields.iter().map(|invalid| (invalid.field.as_str(), invalid.rule())).collect();
    assert_eq!((now.industry.as_str(), invalid), ("retail", vec![("industry", pb::FieldRule::Industry)]));
    // Sent again beside others that change, it stays.
    let renamed = pb::Customer { name: "Ada B".to_owned(), ..now };
    let now = acme.admin.update(renamed, &["name", "industry"]).await.unwrap();
    assert_eq!((now.name.as_str(), now.industry.as_str()), ("Ada B", "retail"));
    let wrong = pb::Customer { industry: "Wholesale".to_owned(), ..now.clone() };
    let refused = acme.admin.update(wrong, &["industry"]).await;
    assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    let right = pb::Customer { industry: "Finanzen".to_owned(), ..now };
    let now = acme.admin.update(right, &["industry"]).await.unwrap();
    assert_eq!((now.industry.as_str(), now.invalid_fields.len()), ("finance", 0));
}

#[tokio::test]
async fn who_may_not_set_it_and_what_is_malformed_is_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let before = rows(&world).await;
    for (client, id) in [(&acme.admin, &north.account), (&north.admin, &north.account)] {
        let refused = assert_refused(set(client, setting(id, own())).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["update_mask"]);
    }
    let above = set(&north.admin, setting(&acme.account, own())).await;
    assert_refused(above, Code::NotFound, "ACCOUNT_NOT_FOUND");
    let manager = acme.member(pb::Role::ServiceManager).await;
    let low = set(&manager, setting(&acme.account, own())).await;
    assert_refused(low, Code::PermissionDenied, "ROLE_TOO_LOW");
    let list = vec![industry("A", "x"), industry("ok", "Fine"), industry("fine", "Other")];
    let refused = set(&acme.admin, setting(&acme.account, list)).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["account.industries[0].code", "account.industries[2]"]);
    let many = (0..201).map(|number| industry(&format!("c{number}"), &format!("Name {number}"))).collect();
    let refused = set(&acme.admin, setting(&acme.account, many)).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["account.industries"]);
    let only = Updating { validate_only: true, ..setting(&acme.account, own()) };
    assert_eq!(set(&acme.admin, only).await.unwrap().account.unwrap().industries, by_code());
    assert_eq!(rows(&world).await["tenants"], before["tenants"]);

    let asked = Updating { request_id: request_id(), ..setting(&acme.account, own()) };
    let first = set(&acme.admin, asked.clone()).await.unwrap();
    let again = set(&acme.admin, asked).await.unwrap();
    assert_eq!(again, pb::UpdateAccountResponse { replayed: true, ..first });
    // The same list changes nothing.
    let before = rows(&world).await;
    set(&acme.admin, setting(&acme.account, own())).await.unwrap();
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn another_server_follows_within_two_seconds() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.add("nora", pb::Role::Member).await;
    let replica = World::start_with(world.database.clone(), |_| ()).await;
    let nora = replica.subject("nora").acting_in(&acme.account);
    assert_ne!(listed(&nora).await, by_code());
    set(&acme.admin, setting(&acme.account, own())).await.unwrap();
    until("the other server has the list", async || listed(&nora).await == by_code()).await;
}
