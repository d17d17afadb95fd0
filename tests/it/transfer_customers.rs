//! TransferCustomers.

use clientele::grpc::pb::{self, MoveBlocker, TransferCustomersRequest as Transferring};
use tonic::{Code, Status};

use crate::{
    custom_ids::{self, fleet, with_custom_ids},
    migrate_customer_to_reseller::blockers,
    modify_customer_tags::{self, catalogue, tags_of},
    place_hold::place,
    rows::rows,
    world::{
        Client, TestAccount, World, assert_refused, bad_fields, customer, full_customer, metadata, request_id,
        unknown_id, wire,
    },
};

type Call = std::pin::Pin<Box<dyn Future<Output = Result<(), Status>> + Send>>;

async fn transfer(client: &Client, request: &Transferring) -> Result<pb::TransferCustomersResponse, Status> {
    Ok(client.customers().transfer_customers(request.clone()).await?.into_inner())
}

fn transferring(ids: &[&str], to: &TestAccount) -> Transferring {
    Transferring {
        customer_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        account_id: to.account.clone(),
        ..Default::default()
    }
}

/// A tenant with this rule on names, and two accounts below it.
async fn fixture(world: &World, rule: pb::NameUniqueness) -> (TestAccount, TestAccount, TestAccount) {
    let acme = world.tenant_with("acme", rule, pb::AccountPolicies::default()).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    (acme, north, south)
}

async fn consistent(world: &World) {
    custom_ids::assert_consistent(world).await;
    modify_customer_tags::assert_consistent(world).await;
}

#[tokio::test]
async fn customers_keep_all_their_data_but_branch_and_sales_person() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, pb::NameUniqueness::Account).await;
    let branch_id = north.branch("Harbour").await;
    let sales_person_id = north.add("sam", pb::Role::Member).await.member_id;
    let made =
        north.admin.create(pb::Customer { branch_id, sales_person_id, ..full_customer("Copaco") }).await.unwrap();
    acme.admin.set_id(&made.id, "erp", "P-7").await.unwrap();
    let before = acme.admin.get(&made.id).await.unwrap();

    let answer = acme.admin.transfer(&[&made.id], &south.account).await.unwrap();

    let now = acme.admin.get(&made.id).await.unwrap();
    let outcome = pb::CustomerOutcome { customer_id: made.id.clone(), changed: true, etag: now.etag.clone() };
    assert_eq!(answer, pb::TransferCustomersResponse { outcomes: vec![outcome], ..Default::default() });
    let expected = pb::Customer {
        account_id: south.account.clone(),
        branch_id: String::new(),
        sales_person_id: String::new(),
        etag: now.etag.clone(),
        update_time: now.update_time,
        ..before.clone()
    };
    assert_eq!(now, expected);
    assert_refused(north.admin.get(&made.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let owned = south.admin.get(&made.id).await.unwrap();
    assert!(owned.custom_ids.is_empty(), "the former owner keeps its own: {:?}", owned.custom_ids);
    assert_eq!(acme.admin.lookup("P-7", "erp").await.unwrap().0, made.id);
    let events = south.admin.events(&made.id).await.unwrap();
    assert_eq!(events[0].r#type(), pb::CustomerEventType::Transferred);
    let paths: Vec<&str> = events[0].changes.iter().map(|change| change.field.as_str()).collect();
    assert_eq!(paths, ["account_id", "branch_id", "sales_person_id"]);
    consistent(&world).await;
}

#[tokio::test]
async fn the_sources_links_are_hidden_and_show_again_when_the_customer_returns() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, pb::NameUniqueness::None).await;
    let id = north.admin.create(with_custom_ids("Ada", &[("erp", "7")])).await.unwrap().id;
    north.admin.tag(&[&id], &["vip"], &[]).await.unwrap();
    let before = north.admin.get(&id).await.unwrap();

    acme.admin.transfer(&[&id], &south.account).await.unwrap();
    assert_refused(north.admin.lookup("7", "").await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(catalogue(&north.admin).await, [("vip".to_owned(), 0)]);
    south.admin.set_id(&id, "erp", "S-1").await.unwrap();
    south.admin.tag(&[&id], &["new"], &[]).await.unwrap();
    consistent(&world).await;

    acme.admin.transfer(&[&id], &north.account).await.unwrap();
    let back = north.admin.get(&id).await.unwrap();
    assert_eq!((back.custom_ids, back.tags), (before.custom_ids, before.tags));
    assert_eq!(north.admin.lookup("7", "").await.unwrap(), (id.clone(), false));
    acme.admin.transfer(&[&id], &south.account).await.unwrap();
    assert_eq!(south.admin.get(&id).await.unwrap().custom_ids["erp"], "S-1");
    assert_eq!(tags_of(&south.admin, &id).await, ["new"]);
    consistent(&world).await;
}

#[tokio::test]
async fn the_new_account_finds_it_and_the_old_one_does_not() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, pb::NameUniqueness::None).await;
    let id = north.admin.create(customer("Wanderer")).await.unwrap().id;
    acme.admin.transfer(&[&id], &south.account).await.unwrap();
    let found = async |client: &Client| {
        let query = pb::SearchCustomersRequest { query: "wander".to_owned(), ..Default::default() };
        let found = client.customers().search_customers(query).await.unwrap().into_inner().results;
        found.into_iter().map(|result| result.customer.unwrap().id).collect::<Vec<_>>()
    };
    assert_eq!(found(&south.admin).await, [id]);
    assert!(found(&north.admin).await.is_empty());
}

#[tokio::test]
async fn a_thousand_customers_of_any_status_move_all_or_none() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, pb::NameUniqueness::None).await;
    let ids = world_of(&world, &north, 1_000).await;
    let mut named: Vec<&str> = ids.iter().map(String::as_str).collect();
    north.admin.archive(&named[..3]).await.unwrap();
    crate::suspend_customer::suspend(&north.admin, named[4]).await.unwrap();
    let unknown = unknown_id();
    named[17] = &unknown;
    let before = rows(&world).await;
    let refused = acme.admin.transfer(&named, &south.account).await;
    let refused = assert_refused(refused, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(metadata(&refused, "field").unwrap(), "customer_ids[17]");
    assert_eq!(rows(&world).await, before);

    named[17] = &ids[17];
    let answer = acme.admin.transfer(&named, &south.account).await.unwrap();
    assert_eq!(answer.outcomes.len(), 1_000);
    assert!(answer.outcomes.iter().zip(&ids).all(|(outcome, id)| outcome.changed && outcome.customer_id == *id));
    assert_eq!(south.admin.get(&ids[4]).await.unwrap().status(), pb::CustomerStatus::Suspended);
    assert!(south.admin.get(&ids[0]).await.unwrap().archived_at.is_some());
}

async fn world_of(world: &World, test_account: &TestAccount, count: i32) -> Vec<String> {
    let one = test_account.admin.create(customer("Ada")).await.unwrap().id;
    let mut ids = vec![one.clone()];
    ids.extend(world.copies(&one, count - 1).await);
    ids
}

#[tokio::test]
async fn customers_that_are_there_already_do_not_change() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, pb::NameUniqueness::None).await;
    let ada = north.admin.create(customer("Ada")).await.unwrap().id;
    let bob = south.admin.create(customer("Bob")).await.unwrap().id;
    // A hold does not block a transfer to the customer's own account.
    place(&south.admin, &bob, "orders").await.unwrap();
    let seen = acme.admin.get(&bob).await.unwrap();

    let answer = acme.admin.transfer(&[&bob, &ada, &bob.to_uppercase()], &south.account).await.unwrap();

    let outcomes: Vec<_> =
        answer.outcomes.iter().map(|outcome| (outcome.customer_id.as_str(), outcome.changed)).collect();
    assert_eq!(outcomes, [(bob.as_str(), false), (ada.as_str(), true)]);
    assert_eq!(acme.admin.get(&bob).await.unwrap(), seen);
    let stored = rows(&world).await;
    acme.admin.transfer(&[&bob, &ada], &south.account).await.unwrap();
    assert_eq!(rows(&world).await, stored);
}

#[tokio::test]
async fn validate_only_returns_every_blocker_and_the_first_one_is_the_error() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, pb::NameUniqueness::Account).await;
    let mut ids = Vec::new();
    for name in ["Free", "Twin", "Held", "Taken"] {
        ids.push(
            north.admin.create(pb::Customer { order_reference: name.to_owned(), ..customer(name) }).await.unwrap().id,
        );
    }
    // A customer with the same name comes from another account in the same call.
    ids.push(acme.admin.create(customer("TWIN")).await.unwrap().id);
    south.admin.create(pb::Customer { order_reference: "Taken".to_owned(), ..customer("taken") }).await.unwrap();
    place(&north.admin, &ids[2], "orders").await.unwrap();
    let named: Vec<&str> = ids.iter().map(String::as_str).collect();
    let before = rows(&world).await;
    let request = transferring(&named, &south);

    let preview = transfer(&acme.admin, &Transferring { validate_only: true, ..request.clone() }).await.unwrap();

    assert!(preview.outcomes.is_empty());
    assert_eq!(
        blockers(&preview.blockers),
        [MoveBlocker::Hold, MoveBlocker::NameTaken, MoveBlocker::OrderReferenceTaken, MoveBlocker::NameTaken]
    );
    let fields: Vec<&str> = preview.blockers.iter().map(|one| one.field.as_str()).collect();
    assert_eq!(fields, ["customer_ids[2]", "customer_ids[3]", "customer_ids[3]", "customer_ids[4]"]);
    let refused = transfer(&acme.admin, &request).await;
    let refused = assert_refused(refused, Code::FailedPrecondition, "CUSTOMER_HELD");
    assert_eq!(metadata(&refused, "field").unwrap(), "customer_ids[2]");
    let refused = acme.admin.transfer(&[&ids[0], &ids[3]], &south.account).await;
    let refused = assert_refused(refused, Code::AlreadyExists, "NAME_TAKEN");
    assert_eq!(metadata(&refused, "field").unwrap(), "customer_ids[1]");
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn a_name_that_is_unique_in_the_tenant_moves_along() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, pb::NameUniqueness::Tenant).await;
    let id = north.admin.create(customer("Ada")).await.unwrap().id;
    acme.admin.transfer(&[&id], &south.account).await.unwrap();
    assert_refused(north.admin.create(customer("ADA")).await, Code::AlreadyExists, "NAME_TAKEN");
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_and_validate_only_stores_nothing() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, pb::NameUniqueness::None).await;
    let id = north.admin.create(customer("Ada")).await.unwrap().id;
    let before = rows(&world).await;
    let request = transferring(&[&id], &south);
    let only = transfer(&acme.admin, &Transferring { validate_only: true, ..request.clone() }).await.unwrap();
    assert_eq!((only.outcomes[0].changed, only.outcomes[0].etag.as_str()), (true, ""));
    assert_eq!(rows(&world).await, before);

    let request = Transferring { request_id: request_id(), ..request };
    let first = transfer(&acme.admin, &request).await.unwrap();
    let stored = rows(&world).await;
    let again = transfer(&acme.admin, &request).await.unwrap();
    assert_eq!(again, pb::TransferCustomersResponse { replayed: true, ..first });
    let other = Transferring { account_id: north.account.clone(), ..request.clone() };
    assert_refused(transfer(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    // Existence is checked before the stored answer.
    let absent = Transferring { account_id: unknown_id(), ..request };
    assert_refused(transfer(&acme.admin, &absent).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    assert_eq!(rows(&world).await, stored);
}

#[tokio::test]
async fn a_transfer_requires_admin_of_both_accounts() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, pb::NameUniqueness::None).await;
    let globex = world.tenant("globex").await;
    let id = north.admin.create(customer("Ada")).await.unwrap().id;
    let before = rows(&world).await;
    // South is a sibling of north, acme is above it: a caller in north can act in neither.
    let absent = assert_refused(north.admin.transfer(&[&id], &unknown_id()).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    for account in [&south.account, &acme.account, &globex.account] {
        assert_eq!(wire(&north.admin.transfer(&[&id], account).await.unwrap_err()), wire(&absent));
    }
    let hidden = south.admin.transfer(&[&id], &south.account).await;
    assert_refused(hidden, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let shared = acme.admin.create(fleet("Shared")).await.unwrap().id;
    let below = north.child("below").await;
    let refused = north.admin.transfer(&[&shared], &below.account).await;
    let refused = assert_refused(refused, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    assert_eq!(metadata(&refused, "field").unwrap(), "customer_ids[0]");
    let manager = acme.member(pb::Role::ServiceManager).await;
    let refused =
        assert_refused(manager.transfer(&[&id], &south.account).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    assert_eq!(rows(&world).await["customers"].len(), before["customers"].len() + 1);
    let malformed =
        Transferring { customer_ids: vec!["7".to_owned()], account_id: "8".to_owned(), ..Default::default() };
    let malformed = assert_refused(transfer(&acme.admin, &malformed).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&malformed), ["customer_ids[0]", "account_id"]);
}

#[tokio::test]
async fn a_fleet_customer_that_moves_down_is_visible_only_below_its_new_owner() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, pb::NameUniqueness::None).await;
    let id = acme.admin.create(fleet("Shared")).await.unwrap().id;
    north.admin.set_id(&id, "erp", "N-1").await.unwrap();
    let below = south.child("below").await;
    acme.admin.transfer(&[&id], &south.account).await.unwrap();
    assert_refused(north.admin.get(&id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(below.admin.get(&id).await.unwrap().account_id, south.account);
    acme.admin.transfer(&[&id], &acme.account).await.unwrap();
    assert_eq!(north.admin.get(&id).await.unwrap().custom_ids["erp"], "N-1");
}

#[tokio::test]
async fn concurrent_transfers_creates_and_tags_end_in_a_consistent_state() {
    let world = World::in_production().await;
    let (acme, north, south) = fixture(&world, pb::NameUniqueness::Account).await;
    let mut ids = Vec::new();
    for number in 0..6 {
        let made = with_custom_ids(&format!("C {number}"), &[("erp", &format!("E{number}"))]);
        ids.push(north.admin.create(made).await.unwrap().id);
    }
    let mut calls: Vec<Call> = Vec::new();
    for round in 0..8 {
        let to = if round % 2 == 0 { &south } else { &north }.account.clone();
        let (client, mut batch) = (acme.admin.clone(), ids.clone());
        batch.rotate_left(round % ids.len());
        calls.push(Box::pin(async move {
            client.transfer(&batch.iter().map(String::as_str).collect::<Vec<_>>(), &to).await.map(drop)
        }));
        let (client, id) = (north.admin.clone(), ids[round % ids.len()].clone());
        calls.push(Box::pin(async move { client.tag(&[&id], &[&format!("tag {round}")], &[]).await.map(drop) }));
        let (client, id) = (south.admin.clone(), ids[round % ids.len()].clone());
        calls.push(Box::pin(async move { client.set_id(&id, "dms", &format!("S{round}")).await.map(drop) }));
        let (client, name) = (south.admin.clone(), format!("c {round}"));
        calls.push(Box::pin(async move { client.create(customer(&name)).await.map(drop) }));
    }

    for done in custom_ids::at_once(calls).await {
        if let Err(status) = done {
            // The customer was in another account at that moment, or another customer had taken the name.
            let reason = crate::world::reason(&status);
            assert!(["CUSTOMER_NOT_FOUND", "NAME_TAKEN"].contains(&reason.as_str()), "{status:?}");
        }
    }
    consistent(&world).await;
}
