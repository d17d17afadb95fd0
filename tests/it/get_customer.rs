//! GetCustomer.

use tonic::Code;

use crate::world::{World, assert_refused, customer, full_customer, unknown_id, wire};

#[tokio::test]
async fn a_customer_is_read_as_it_was_written() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let created = acme.admin.create(full_customer("Copaco")).await.unwrap();
    assert_eq!(acme.admin.get(&created.id).await.unwrap(), created);
}

#[tokio::test]
async fn a_customer_of_another_reseller_does_not_exist() {
    let world = World::start().await;
    let provider = world.tenant("acme").await;
    let (north, south) = (provider.child("north").await, provider.child("south").await);
    let ada = north.admin.create(customer("Ada")).await.unwrap();

    let refused = assert_refused(south.admin.get(&ada.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let absent = assert_refused(south.admin.get(&unknown_id()).await, Code::NotFound, "CUSTOMER_NOT_FOUND");

    assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
}
