//! Fifty concurrent calls with one request_id: one is executed, and all get its answer. (CreateCustomer has its own file.)

use tonic::{Code, Status};

use crate::world::{
    Client, World, at_once, customer, full_customer, manual_approval, mask, principal, reason, request_id,
};
use clientele::grpc::pb;

/// Sends the same request fifty times concurrently. If the first call runs longer than a repeat waits, the repeat tries
/// again, as the contract says. Returns the answer, which must be the same for all and not replayed for one.
async fn fifty<A, F>(world: &World, client: &Client, send: impl Fn(Client) -> F + Copy + Send + 'static) -> A
where
    A: PartialEq + std::fmt::Debug + Send + 'static,
    F: Future<Output = Result<(A, bool), Status>> + Send,
{
    let connections = [world.channel(), world.channel()];
    let answers = at_once((0..50).map(|n| {
        let client = client.over(connections[n % 2].clone());
        async move {
            loop {
                match send(client.clone()).await {
                    Err(status) if status.code() == Code::Aborted => assert_eq!(reason(&status), "REQUEST_IN_FLIGHT"),
                    answer => return answer.unwrap(),
                }
            }
        }
    }))
    .await;
    assert_eq!(answers.iter().filter(|(_, replayed)| !replayed).count(), 1, "done once");
    let mut answers = answers.into_iter().map(|(answer, _)| answer);
    let first = answers.next().unwrap();
    assert!(answers.all(|answer| answer == first));
    first
}

async fn count(world: &World, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(&mut world.sql().await).await.unwrap()
}

macro_rules! repeated {
    ($world:expr, $client:expr, $service:ident . $rpc:ident ( $request:expr ) => $answer:expr) => {{
        let request: &'static _ = Box::leak(Box::new($request));
        fifty($world, &$client, move |client| async move {
            let answer = client.$service().$rpc(request.clone()).await?.into_inner();
            let replayed = answer.replayed;
            Ok(($answer(answer), replayed))
        })
        .await
    }};
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_one_customer_is_done_once() {
    let world = World::in_production().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Tenant, manual_approval()).await;
    let ada = acme.admin.create(full_customer("Ada")).await.unwrap();

    let updated = repeated!(&world, acme.admin, customers.update_customer(pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { name: "Ada Stores".to_owned(), ..ada.clone() }),
        update_mask: Some(mask(&["name"])),
        request_id: request_id(),
        ..Default::default()
    }) => |answer: pb::UpdateCustomerResponse| answer.customer);
    assert_eq!(updated.unwrap().name, "Ada Stores");

    let rejected = repeated!(&world, acme.admin, customers.reject_customer(pb::RejectCustomerRequest {
        customer_id: ada.id.clone(),
        reason: "unknown".to_owned(),
        etag: acme.admin.get(&ada.id).await.unwrap().etag,
        request_id: request_id(),
        ..Default::default()
    }) => |answer: pb::RejectCustomerResponse| answer.customer);
    assert_eq!(rejected.unwrap().status(), pb::CustomerStatus::Rejected);

    let approved = repeated!(&world, acme.admin, customers.approve_customer(pb::ApproveCustomerRequest {
        customer_id: ada.id.clone(),
        request_id: request_id(),
        ..Default::default()
    }) => |answer: pb::ApproveCustomerResponse| answer.customer);
    assert_eq!(approved.as_ref(), Some(&acme.admin.get(&ada.id).await.unwrap()));

    // The events of the creation, of the custom ID, and of each of the three changes.
    assert_eq!(acme.admin.events(&ada.id).await.unwrap().len(), 5);
    assert_eq!(count(&world, "select count(*) from requests").await, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_done_once() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let mut customer_ids = Vec::new();
    for name in ["Ada", "Bob", "Cleo"] {
        customer_ids.push(acme.admin.create(customer(name)).await.unwrap().id);
    }
    let named = customer_ids.clone();

    let archived = repeated!(&world, acme.admin, customers.archive_customers(pb::ArchiveCustomersRequest {
        customer_ids: named,
        request_id: request_id(),
        ..Default::default()
    }) => |answer: pb::ArchiveCustomersResponse| answer.outcomes);
    assert!(archived.len() == 3 && archived.iter().all(|outcome| outcome.changed));

    let unarchived = repeated!(&world, acme.admin, customers.unarchive_customers(pb::UnarchiveCustomersRequest {
        customer_ids,
        request_id: request_id(),
        ..Default::default()
    }) => |answer: pb::UnarchiveCustomersResponse| answer.outcomes);
    assert!(unarchived.len() == 3 && unarchived.iter().all(|outcome| outcome.changed));

    assert_eq!(count(&world, "select count(*) from events where type in ('ARCHIVED', 'UNARCHIVED')").await, 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_an_account_and_a_member_are_made_once() {
    let world = World::in_production().await;
    let tenant = repeated!(&world, world.operator(), accounts.create_tenant(pb::CreateTenantRequest {
        tenant: Some(pb::Tenant { name: "acme".to_owned(), ..Default::default() }),
        first_admin: Some(principal("ada")),
        request_id: request_id(),
        ..Default::default()
    }) => |answer: pb::CreateTenantResponse| (answer.tenant, answer.account, answer.first_admin));
    let ada = world.subject("ada").acting_in(&tenant.1.unwrap().id);

    repeated!(&world, ada, accounts.create_account(pb::CreateAccountRequest {
        account: Some(pb::Account { name: "north".to_owned(), ..Default::default() }),
        first_admin: Some(principal("nora")),
        request_id: request_id(),
        ..Default::default()
    }) => |answer: pb::CreateAccountResponse| (answer.account, answer.first_admin));

    // Adding the same principal violates the member's key before the request's key.
    repeated!(&world, ada, access.add_member(pb::AddMemberRequest {
        principal: Some(principal("bob")),
        role: pb::Role::Member.into(),
        request_id: request_id(),
        ..Default::default()
    }) => |answer: pb::AddMemberResponse| answer.member);

    assert_eq!(count(&world, "select count(*) from tenants").await, 1);
    assert_eq!(count(&world, "select count(*) from accounts").await, 2);
    assert_eq!(count(&world, "select count(*) from members").await, 3);
}
