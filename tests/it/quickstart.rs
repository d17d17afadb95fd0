//! The example, walked as it stands.

use crate::world::{World, pending_first};
use clientele::grpc::pb;

#[path = "../../examples/quickstart.rs"]
pub(crate) mod example;

#[tokio::test]
async fn the_quickstart_walks_a_customer_through_its_life() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child_with("north", Some(pending_first())).await;
    north.add("bob", pb::Role::Admin).await;

    let mut told = Vec::new();
    let token = world.keys.token("bob");
    Box::pin(example::walk(world.channel(), &token, |step| told.push(step))).await.unwrap();

    let expected = [
        "I am ROLE_ADMIN of north",
        "CUSTOMER_STATUS_PENDING; asked twice, replayed: true",
        "found 1 by name and city",
        "looked up by its erp number: true",
        "tagged: true",
        "approved: CUSTOMER_STATUS_ACTIVE, could next UpdateCustomer",
        "suspended, resumed, archived",
        "CUSTOMER_EVENT_TYPE_ARCHIVED (archived_at)",
    ];
    for (step, expected) in told.iter().zip(expected) {
        assert!(step.contains(expected), "{step} should say {expected}");
    }
    assert!(told.last().unwrap().contains("CUSTOMER_EVENT_TYPE_CREATED"), "{told:?}");
}
