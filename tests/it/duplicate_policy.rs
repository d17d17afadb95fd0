//! `duplicate_policy` of CreateCustomer and UpsertCustomer.

use clientele::grpc::pb::{self, DuplicatePolicy as Policy, DuplicateReason as Reason};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    custom_ids::with_custom_ids,
    find_duplicate_customers::{found, in_city, with_email},
    rows::rows,
    world::{Client, World, assert_refused, bad_fields, customer, mask, metadata, request_id},
};

fn creating(customer: pb::Customer, policy: Policy) -> pb::CreateCustomerRequest {
    pb::CreateCustomerRequest { customer: Some(customer), duplicate_policy: policy.into(), ..Default::default() }
}

async fn create(client: &Client, request: pb::CreateCustomerRequest) -> Result<pb::CreateCustomerResponse, Status> {
    Ok(client.customers().create_customer(request).await?.into_inner())
}

fn upserting(number: &str, customer: pb::Customer, policy: Policy) -> pb::UpsertCustomerRequest {
    pb::UpsertCustomerRequest {
        customer: Some(pb::Customer { custom_ids: [("erp".to_owned(), number.to_owned())].into(), ..customer }),
        update_mask: Some(mask(&["name"])),
        duplicate_policy: policy.into(),
        ..Default::default()
    }
}

async fn upsert(client: &Client, request: pb::UpsertCustomerRequest) -> Result<pb::UpsertCustomerResponse, Status> {
    Ok(client.customers().upsert_customer(request).await?.into_inner())
}

fn twin(name: &str) -> pb::Customer {
    with_email(name, "a@b.example")
}

#[tokio::test]
async fn a_creation_reports_others_unless_it_is_told_not_to() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let first = create(&acme.admin, creating(twin("Ada"), Policy::Unspecified)).await.unwrap();
    assert_eq!(found(&first.possible_duplicates), []);
    let ada = first.customer.unwrap().id;
    for policy in [Policy::Unspecified, Policy::Report] {
        let request = pb::CreateCustomerRequest { validate_only: true, ..creating(twin("Bob"), policy) };
        let answer = create(&acme.admin, request).await.unwrap();
        assert_eq!(found(&answer.possible_duplicates), [(ada.clone(), 40, vec![Reason::Email])]);
    }
    let ignored = create(&acme.admin, creating(twin("Bob"), Policy::Ignore)).await.unwrap();
    assert_eq!(found(&ignored.possible_duplicates), []);
    let both = create(&acme.admin, creating(twin("ada"), Policy::Report)).await.unwrap();
    let bob = ignored.customer.unwrap().id;
    assert_eq!(
        found(&both.possible_duplicates),
        [(ada, 70, vec![Reason::Email, Reason::Name]), (bob, 40, vec![Reason::Email])]
    );
    let wrong = pb::CreateCustomerRequest { duplicate_policy: 7, ..creating(twin("Bob"), Policy::Report) };
    let refused = assert_refused(create(&acme.admin, wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["duplicate_policy"]);
}

#[tokio::test]
async fn a_creation_that_blocks_names_what_the_caller_sees() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    create(&acme.admin, creating(twin("Ada"), Policy::Block)).await.unwrap();
    // It is of an account above, and LOCAL.
    let bob = create(&north.admin, creating(twin("Bob"), Policy::Block)).await.unwrap().customer.unwrap().id;
    let mut others = Vec::new();
    for _ in 0..6 {
        others.push(create(&north.admin, creating(twin("Eve"), Policy::Ignore)).await.unwrap().customer.unwrap().id);
    }
    let before = rows(&world).await;
    for validate_only in [false, true] {
        let request = pb::CreateCustomerRequest {
            validate_only,
            request_id: request_id(),
            ..creating(pb::Customer { email: "A@B.example".to_owned(), ..in_city("BOB ", "") }, Policy::Block)
        };
        let refused = create(&north.admin, request).await;
        let refused = assert_refused(refused, Code::AlreadyExists, "POSSIBLE_DUPLICATE");
        let resource = refused.get_details_resource_info().unwrap();
        assert_eq!((resource.resource_type.as_str(), &resource.resource_name), ("clientele.v1.Customer", &bob));
        let named = [std::slice::from_ref(&bob), &others[..4]].concat().join(",");
        assert_eq!(metadata(&refused, "duplicates"), Some(named));
        assert_eq!(metadata(&refused, "score").as_deref(), Some("70"));
        assert_eq!(metadata(&refused, "reasons").as_deref(), Some("EMAIL,NAME"));
    }
    assert_eq!(rows(&world).await, before, "nothing was written");
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_with_its_duplicates() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let ada = north.admin.create(twin("Ada")).await.unwrap().id;
    let eve = north.admin.create(twin("Eve")).await.unwrap().id;
    let request = pb::CreateCustomerRequest { request_id: request_id(), ..creating(twin("Bob"), Policy::Report) };
    let first = create(&north.admin, request.clone()).await.unwrap();
    assert_eq!(found(&first.possible_duplicates).len(), 2);
    let repeat = create(&north.admin, request.clone()).await.unwrap();
    assert_eq!(repeat, pb::CreateCustomerResponse { replayed: true, ..first.clone() });
    // They are shown as they are now, as far as the account sees them.
    north.admin.archive(&[&ada]).await.unwrap();
    acme.admin.transfer(&[&eve], &acme.account).await.unwrap();
    let later = create(&north.admin, request.clone()).await.unwrap();
    assert_eq!(found(&later.possible_duplicates), [(ada, 40, vec![Reason::Email])]);
    assert!(later.possible_duplicates[0].customer.as_ref().unwrap().archived_at.is_some());
    // One that blocks is repeated, too: the customer is no duplicate of itself.
    let request = pb::CreateCustomerRequest {
        request_id: request_id(),
        ..creating(with_email("Only", "only@b.example"), Policy::Block)
    };
    let first = create(&north.admin, request.clone()).await.unwrap();
    let repeat = create(&north.admin, request.clone()).await.unwrap();
    assert_eq!(repeat, pb::CreateCustomerResponse { replayed: true, ..first });
    let other = pb::CreateCustomerRequest { duplicate_policy: Policy::Ignore.into(), ..request };
    assert_refused(create(&north.admin, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn an_upsert_looks_for_others_only_if_it_creates() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(twin("Ada")).await.unwrap().id;
    let blocked = upsert(&acme.admin, upserting("7", twin("Bob"), Policy::Block)).await;
    let blocked = assert_refused(blocked, Code::AlreadyExists, "POSSIBLE_DUPLICATE");
    assert_eq!(blocked.get_details_resource_info().unwrap().resource_name, ada);
    let request =
        pb::UpsertCustomerRequest { request_id: request_id(), ..upserting("7", twin("Bob"), Policy::Unspecified) };
    let made = upsert(&acme.admin, request.clone()).await.unwrap();
    assert_eq!(made.result(), pb::UpsertResult::Created);
    assert_eq!(found(&made.possible_duplicates), [(ada, 40, vec![Reason::Email])]);
    let repeat = upsert(&acme.admin, request).await.unwrap();
    assert_eq!(repeat, pb::UpsertCustomerResponse { replayed: true, ..made });
    // Now it exists, and is updated whatever others there are.
    let updated = upsert(&acme.admin, upserting("7", twin("Bobby"), Policy::Block)).await.unwrap();
    assert_eq!((updated.result(), found(&updated.possible_duplicates)), (pb::UpsertResult::Updated, Vec::new()));
    let by_id = pb::UpsertCustomerRequest {
        customer: Some(updated.customer.unwrap()),
        update_mask: Some(mask(&["name"])),
        duplicate_policy: Policy::Block.into(),
        ..Default::default()
    };
    let unchanged = upsert(&acme.admin, by_id).await.unwrap();
    assert_eq!(unchanged.result(), pb::UpsertResult::Unchanged);
}

#[tokio::test]
async fn a_taken_custom_id_or_name_is_told_after_a_duplicate_that_blocks() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Tenant, pb::AccountPolicies::default()).await;
    let ada = pb::Customer { email: "a@b.example".to_owned(), ..with_custom_ids("Ada", &[("erp", "7")]) };
    acme.admin.create(ada.clone()).await.unwrap();
    let blocked = create(&acme.admin, creating(ada.clone(), Policy::Block)).await;
    assert_refused(blocked, Code::AlreadyExists, "POSSIBLE_DUPLICATE");
    let taken = create(&acme.admin, creating(ada, Policy::Report)).await;
    assert_refused(taken, Code::AlreadyExists, "NAME_TAKEN");
    assert_refused(
        create(&acme.admin, creating(customer("Ada"), Policy::Ignore)).await,
        Code::AlreadyExists,
        "NAME_TAKEN",
    );
}
