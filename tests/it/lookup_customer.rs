//! LookupCustomer.

use clientele::grpc::pb::{self, CustomerView, Reach, ResolvedBy, Role};
use tonic::Code;

use crate::{
    custom_ids::{by, fleet, narrowed, with_custom_ids},
    world::{World, assert_refused, bad_fields, customer, full_customer, wire},
};

#[tokio::test]
async fn a_customer_is_found_by_its_custom_id_with_or_without_the_system() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = acme.admin.create(full_customer("Copaco")).await.unwrap();
    for (spelling, system) in [("Copaco-00123", "erp"), ("COPACO-00123", "erp"), (" copaco-00123 ", "")] {
        let request = pb::LookupCustomerRequest { view: CustomerView::Full.into(), ..by(spelling, system) };
        let found = acme.admin.customers().lookup_customer(request).await.unwrap().into_inner();
        assert_eq!(found.resolved_by(), ResolvedBy::Current);
        assert_eq!(found.customer.unwrap(), made);
    }
    let viewer = acme.member(Role::Viewer).await;
    let found = viewer.customers().lookup_customer(by("Copaco-00123", "")).await.unwrap().into_inner();
    let basic = found.customer.unwrap();
    assert!(basic.contacts.is_empty() && basic.labels.is_empty() && basic.email == made.email, "BASIC by default");
    for (other, system) in [("Copaco-0123", "erp"), ("Copaco-00123", "dms"), ("Copaco-00123", "default")] {
        assert_refused(acme.admin.lookup(other, system).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    }
}

#[tokio::test]
async fn an_old_value_is_an_alias_until_another_customer_takes_it() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("erp", "1")])).await.unwrap();
    let bob = acme.admin.create(customer("Bob")).await.unwrap();
    let (ada, bob) = (ada.id, bob.id);
    let steps = [
        (&ada, "2", [("1", &ada, true), ("2", &ada, false)]),
        // After clearing, both are aliases.
        (&ada, "", [("1", &ada, true), ("2", &ada, true)]),
        // Bob takes the value and gives it up: it was Bob's last.
        (&bob, "1", [("1", &bob, false), ("2", &ada, true)]),
        (&bob, "3", [("1", &bob, true), ("3", &bob, false)]),
        // Ada takes it back and gives it up again.
        (&ada, "1", [("1", &ada, false), ("3", &bob, false)]),
        (&ada, "2", [("1", &ada, true), ("2", &ada, false)]),
    ];
    for (step, (customer, value, expected)) in steps.into_iter().enumerate() {
        acme.admin.set_id(customer, "erp", value).await.unwrap();
        for (value, customer, alias) in expected {
            for system in ["erp", ""] {
                assert_eq!(acme.admin.lookup(value, system).await.unwrap(), (customer.clone(), alias), "step {step}");
            }
        }
    }
}

#[tokio::test]
async fn several_hits_without_a_system_are_ambiguous() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(with_custom_ids("Ada", &[("erp", "7")])).await.unwrap();
    let bob = acme.admin.create(with_custom_ids("Bob", &[("billing", "7")])).await.unwrap();
    assert_refused(acme.admin.lookup("7", "").await, Code::FailedPrecondition, "LOOKUP_AMBIGUOUS");
    assert_eq!(acme.admin.lookup("7", "erp").await.unwrap(), (ada.id.clone(), false));
    assert_eq!(acme.admin.lookup("7", "billing").await.unwrap(), (bob.id.clone(), false));
    // An alias in one system stays when another customer gets the value in another system.
    acme.admin.set_id(&bob.id, "billing", "8").await.unwrap();
    assert_refused(acme.admin.lookup("7", "").await, Code::FailedPrecondition, "LOOKUP_AMBIGUOUS");
    // One customer with the value in two systems is one hit.
    let eve = acme.admin.create(with_custom_ids("Eve", &[("erp", "9"), ("dms", "9"), ("billing", "9")])).await.unwrap();
    acme.admin.set_id(&eve.id, "dms", "").await.unwrap();
    assert_eq!(acme.admin.lookup("9", "").await.unwrap(), (eve.id.clone(), false));
    assert_eq!(acme.admin.lookup("9", "dms").await.unwrap(), (eve.id, true));
    // For a call that is narrowed to one of them, the other does not exist.
    let found = acme.admin.customers().lookup_customer(narrowed(by("7", ""), &bob.id)).await.unwrap().into_inner();
    assert_eq!((found.customer.as_ref().unwrap().id.as_str(), found.resolved_by()), (&*bob.id, ResolvedBy::Alias));
}

#[tokio::test]
async fn only_the_acting_accounts_custom_ids_of_visible_customers_count() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south, other) = (acme.child("north").await, acme.child("south").await, world.tenant("globex").await);
    let ada = acme.admin.create(fleet("Ada")).await.unwrap();
    acme.admin.set_id(&ada.id, "erp", "owner").await.unwrap();
    north.admin.set_id(&ada.id, "erp", "north").await.unwrap();
    assert_eq!(acme.admin.lookup("owner", "").await.unwrap(), (ada.id.clone(), false));
    assert_eq!(north.admin.lookup("north", "").await.unwrap(), (ada.id.clone(), false));
    let absent = wire(&acme.admin.lookup("never", "").await.unwrap_err());
    for (client, value) in
        [(&acme.admin, "north"), (&north.admin, "owner"), (&south.admin, "north"), (&other.admin, "owner")]
    {
        for system in ["", "erp"] {
            let refused = assert_refused(client.lookup(value, system).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
            assert_eq!(wire(&refused), absent);
        }
    }
    // A customer that is no longer visible is not found, and is found again after its return.
    let reach = async |reach: Reach| {
        let customer = pb::Customer { id: ada.id.clone(), reach: reach.into(), ..Default::default() };
        acme.admin.update(customer, &["reach"]).await.unwrap()
    };
    reach(Reach::Local).await;
    assert_eq!(wire(&north.admin.lookup("north", "erp").await.unwrap_err()), absent);
    reach(Reach::Fleet).await;
    assert_eq!(north.admin.lookup("north", "erp").await.unwrap(), (ada.id.clone(), false));
    // For a call that is narrowed to another customer, this one does not exist.
    let eve = north.admin.create(customer("Eve")).await.unwrap();
    let refused = north.admin.customers().lookup_customer(narrowed(by("north", ""), &eve.id)).await.unwrap_err();
    assert_eq!(wire(&refused), absent);
}

#[tokio::test]
async fn every_error_is_reported_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let request = pb::LookupCustomerRequest { view: 9, ..by("", "No such") };
    let refused = acme.admin.customers().lookup_customer(request).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["custom_id", "system", "view"]);
}
