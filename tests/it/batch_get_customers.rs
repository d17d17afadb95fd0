//! BatchGetCustomers.

use clientele::grpc::pb::{self, CustomerView, Role};
use tonic::{Code, Status};

use crate::{
    custom_ids::{fleet, narrowed},
    world::{Client, World, assert_refused, bad_fields, customer, full_customer, unknown_id},
};

fn batch(ids: &[String]) -> pb::BatchGetCustomersRequest {
    pb::BatchGetCustomersRequest { customer_ids: ids.to_vec(), view: CustomerView::Full.into() }
}

async fn get(client: &Client, ids: &[String]) -> Result<pb::BatchGetCustomersResponse, Status> {
    Ok(client.customers().batch_get_customers(batch(ids)).await?.into_inner())
}

#[tokio::test]
async fn customers_are_in_request_order_and_missing_ids_are_listed() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let mut made = Vec::new();
    for name in ["Ada", "Bob", "Eve"] {
        made.push(acme.admin.create(full_customer(name)).await.unwrap());
    }
    let (one, two) = (unknown_id(), unknown_id());
    let ids = [&made[2].id, &one, &made[0].id.to_uppercase(), &two, &made[2].id, &made[1].id, &one].map(Clone::clone);
    let found = get(&acme.admin, &ids).await.unwrap();
    assert_eq!(found.customers, [made[2].clone(), made[0].clone(), made[1].clone()]);
    assert_eq!(found.missing_ids, [one, two]);
}

#[tokio::test]
async fn the_default_view_is_basic() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(full_customer("Ada")).await.unwrap();
    let viewer = acme.member(Role::Viewer).await;
    let request = pb::BatchGetCustomersRequest { view: 0, ..batch(std::slice::from_ref(&made.id)) };
    let basic = viewer.customers().batch_get_customers(request).await.unwrap().into_inner().customers;
    let one = pb::GetCustomerRequest { customer_id: made.id, view: 0 };
    assert_eq!(basic, [viewer.customers().get_customer(one).await.unwrap().into_inner().customer.unwrap()]);
    assert!(basic[0].contacts.is_empty());
}

#[tokio::test]
async fn customers_that_the_account_cannot_see_are_missing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south, other) = (acme.child("north").await, acme.child("south").await, world.tenant("globex").await);
    let above = acme.admin.create(fleet("Above")).await.unwrap();
    let hidden = acme.admin.create(customer("Hidden")).await.unwrap();
    let mine = north.admin.create(customer("Mine")).await.unwrap();
    let siblings = south.admin.create(customer("Sibling")).await.unwrap();
    let foreign = other.admin.create(customer("Foreign")).await.unwrap();
    let ids = [&above, &hidden, &mine, &siblings, &foreign].map(|customer| customer.id.clone());
    let found = get(&north.admin, &ids).await.unwrap();
    assert_eq!(found.missing_ids, [hidden.id, siblings.id, foreign.id]);
    assert_eq!(found.customers, [north.admin.get(&above.id).await.unwrap(), mine.clone()]);
    // The provider sees its whole tree; each customer is shown by the policies of its owner.
    let found = get(&acme.admin, &ids[..4]).await.unwrap();
    assert_eq!(found.customers.len(), 4);
    assert_eq!(found.customers[2], acme.admin.get(&mine.id).await.unwrap());
    // A narrowed call sees one customer.
    let found =
        north.admin.customers().batch_get_customers(narrowed(batch(&ids), &mine.id)).await.unwrap().into_inner();
    assert_eq!((found.customers, found.missing_ids.len()), (vec![mine], 4));
}

#[tokio::test]
async fn a_batch_has_1_to_100_valid_ids() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ids: Vec<String> = (0..101).map(|_| unknown_id()).collect();
    assert_eq!(get(&acme.admin, &ids[..100]).await.unwrap().missing_ids, ids[..100]);
    for ids in [&ids[..], &[]] {
        let refused = assert_refused(get(&acme.admin, ids).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["customer_ids"]);
    }
    let broken = [ids[0].clone(), "7".to_owned(), ids[1].clone(), String::new()];
    let refused = assert_refused(get(&acme.admin, &broken).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["customer_ids[1]", "customer_ids[3]"]);
}

#[tokio::test]
async fn an_answer_above_4_mib_is_refused_and_fewer_customers_fit() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    // 50 labels of 500 characters of 4 bytes.
    let labels = (0..50).map(|number| (format!("l{number}"), "𝄞".repeat(500))).collect();
    let large = pb::Customer { labels, ..customer("Large") };
    let mut ids = Vec::new();
    for _ in 0..45 {
        ids.push(acme.admin.create(large.clone()).await.unwrap().id);
    }
    let refused = assert_refused(get(&acme.admin, &ids).await, Code::ResourceExhausted, "ANSWER_TOO_LARGE");
    assert!(tonic_types::StatusExt::get_details_retry_info(&refused).is_none(), "the same call cannot succeed");
    assert_eq!(get(&acme.admin, &ids[..30]).await.unwrap().customers.len(), 30);
    let basic = pb::BatchGetCustomersRequest { view: CustomerView::Basic.into(), ..batch(&ids) };
    assert_eq!(acme.admin.customers().batch_get_customers(basic).await.unwrap().into_inner().customers.len(), 45);
}
