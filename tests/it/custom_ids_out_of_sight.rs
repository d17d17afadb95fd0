//! A custom ID on a customer that its account does not see any more is no holder of the value: another customer can take it.
//! If none does, it is the current one again when the customer returns.

use clientele::grpc::pb;
use tonic::Code;

use crate::{
    custom_ids::{assert_consistent, change, fleet, upsert, with_custom_ids},
    world::{Client, TestAccount, World, assert_refused, customer, mask, principal, request_id},
};

/// How a customer leaves the sight of an account and returns to it.
#[derive(Clone, Copy, Debug)]
enum Way {
    /// To a sibling, and back.
    Transfer,
    /// A FLEET customer of the account above, to a sibling, and back.
    FleetTransfer,
    /// A FLEET customer of the account above is made LOCAL, and FLEET again.
    Reach,
    /// The account was made of the customer: the migration is reverted, and a transfer brings the customer back.
    Revert,
}

/// How another customer of the account takes the value meanwhile.
#[derive(Clone, Copy, Debug)]
enum Taking {
    Nobody,
    Create,
    Change,
    Upsert,
    UpsertExisting,
}

/// An account with the custom ID "7" on a customer.
struct Fixture {
    acme: TestAccount,
    sibling: TestAccount,
    account: String,
    admin: Client,
    id: String,
}

impl Fixture {
    async fn start(world: &World, way: Way) -> Self {
        let acme = world.tenant("acme").await;
        let sibling = acme.child("sibling").await;
        let (account, id) = match way {
            Way::Transfer => {
                let account = acme.child("account").await;
                (account.account, account.admin.create(customer("Ada")).await.unwrap().id)
            }
            Way::FleetTransfer | Way::Reach => {
                (acme.child("account").await.account, acme.admin.create(fleet("Ada")).await.unwrap().id)
            }
            Way::Revert => {
                let id = acme.admin.create(customer("Ada")).await.unwrap().id;
                let migrate = pb::MigrateCustomerToResellerRequest {
                    customer_id: id.clone(),
                    first_admin: Some(principal("first")),
                    ..Default::default()
                };
                let done = acme.admin.customers().migrate_customer_to_reseller(migrate).await.unwrap().into_inner();
                let account = done.customer.unwrap().account_id;
                (account, id)
            }
        };
        let admin = acme.admin.acting_in(&account);
        admin.set_id(&id, "erp", "7").await.unwrap();
        Self { acme, sibling, account, admin, id }
    }

    async fn set_reach(&self, reach: pb::Reach) {
        let after = pb::Customer { id: self.id.clone(), reach: reach.into(), ..Default::default() };
        self.acme.admin.update(after, &["reach"]).await.unwrap();
    }

    async fn leave(&self, way: Way) {
        match way {
            Way::Transfer | Way::FleetTransfer => {
                self.acme.admin.transfer(&[&self.id], &self.sibling.account).await.unwrap();
            }
            Way::Reach => self.set_reach(pb::Reach::Local).await,
            Way::Revert => {
                let revert = pb::RevertCustomerMigrationRequest { customer_id: self.id.clone(), ..Default::default() };
                self.acme.admin.customers().revert_customer_migration(revert).await.unwrap();
            }
        }
        assert_refused(self.admin.get(&self.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    }

    async fn come_back(&self, way: Way) {
        match way {
            Way::Transfer | Way::Revert => {
                self.acme.admin.transfer(&[&self.id], &self.account).await.unwrap();
            }
            Way::FleetTransfer => {
                self.acme.admin.transfer(&[&self.id], &self.acme.account).await.unwrap();
            }
            Way::Reach => self.set_reach(pb::Reach::Fleet).await,
        }
    }

    /// Another customer of the account takes the value; its id.
    async fn take(&self, taking: Taking) -> Option<String> {
        let admin = &self.admin;
        let new = with_custom_ids("Bob", &[("erp", "7")]);
        let by_erp = |customer| pb::UpsertCustomerRequest { system: "erp".to_owned(), ..upsert(customer, &["name"]) };
        match taking {
            Taking::Nobody => None,
            Taking::Create => Some(admin.create(new).await.unwrap().id),
            Taking::Change => {
                let bob = admin.create(customer("Bob")).await.unwrap().id;
                let only = pb::UpdateCustomIdRequest { validate_only: true, ..change(&bob, "erp", "7") };
                assert_eq!(admin.set(only).await.unwrap().customer.unwrap().custom_ids["erp"], "7");
                assert!(admin.get(&bob).await.unwrap().custom_ids.is_empty());
                Some(admin.set_id(&bob, "erp", "7").await.unwrap().id)
            }
            Taking::Upsert => Some(admin.upsert(by_erp(new)).await.unwrap().0.id),
            Taking::UpsertExisting => {
                let bob = admin.create(customer("Bob")).await.unwrap().id;
                let existing = pb::Customer { id: bob, name: "Bobby".to_owned(), ..new };
                Some(admin.upsert(upsert(existing, &["name"])).await.unwrap().0.id)
            }
        }
    }
}

#[tokio::test]
async fn it_is_an_alias_while_the_customer_is_away_and_current_again_unless_it_was_taken() {
    let world = World::start().await;
    for way in [Way::Transfer, Way::FleetTransfer, Way::Reach, Way::Revert] {
        for taking in [Taking::Nobody, Taking::Create, Taking::Change, Taking::Upsert, Taking::UpsertExisting] {
            // A migration can be reverted only while its account has no other customer: here it is reverted before.
            let fixture = Fixture::start(&world, way).await;
            let (admin, id) = (&fixture.admin, &fixture.id);
            fixture.leave(way).await;
            assert_refused(admin.lookup("7", "erp").await, Code::NotFound, "CUSTOMER_NOT_FOUND");
            let taker = fixture.take(taking).await;
            if let Some(taker) = &taker {
                assert_eq!(admin.lookup("7", "erp").await.unwrap(), (taker.clone(), false), "{way:?} {taking:?}");
            }
            assert_consistent(&world).await;

            fixture.come_back(way).await;

            let back = admin.get(id).await.unwrap();
            assert_eq!(back.custom_ids.contains_key("erp"), taker.is_none(), "{way:?} {taking:?}");
            let holder = taker.clone().unwrap_or_else(|| id.clone());
            assert_eq!(admin.lookup("7", "erp").await.unwrap(), (holder, false), "{way:?} {taking:?}");
            let events = admin.events(id).await.unwrap();
            let of_ids = events.iter().filter(|event| event.r#type() == pb::CustomerEventType::CustomIdsChanged);
            assert_eq!(of_ids.count(), if taker.is_some() { 2 } else { 1 }, "its history says what happened");
            // It can have a custom ID again, and the value itself once the other customer gives it up.
            if let Some(taker) = taker {
                assert_refused(admin.set_id(id, "erp", "7").await, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
                admin.set_id(&taker, "erp", "").await.unwrap();
                assert_eq!(admin.set_id(id, "erp", "7").await.unwrap().custom_ids["erp"], "7");
            }
            assert_consistent(&world).await;
        }
    }
}

#[tokio::test]
async fn a_call_that_fails_or_only_validates_takes_nothing() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::Account, pb::AccountPolicies::default()).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let admin = &north.admin;
    let id = admin.create(with_custom_ids("Ada", &[("erp", "7"), ("dms", "7")])).await.unwrap().id;
    let bob = admin.create(with_custom_ids("Bob", &[("erp", "8")])).await.unwrap().id;
    acme.admin.transfer(&[&id], &south.account).await.unwrap();
    let before = crate::custom_ids::written(&world).await;

    let mixed = with_custom_ids("New", &[("dms", "7"), ("erp", "8")]);
    assert_refused(admin.create(mixed).await, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
    assert_refused(admin.create(with_custom_ids("bob", &[("erp", "7")])).await, Code::AlreadyExists, "NAME_TAKEN");
    let only = pb::CreateCustomerRequest {
        customer: Some(with_custom_ids("New", &[("erp", "7")])),
        validate_only: true,
        ..Default::default()
    };
    admin.customers().create_customer(only).await.unwrap();
    let stale = pb::UpdateCustomIdRequest { validate_only: true, ..change(&bob, "erp", "7") };
    admin.set(stale).await.unwrap();
    assert_eq!(crate::custom_ids::written(&world).await, before);

    acme.admin.transfer(&[&id], &north.account).await.unwrap();
    let ids = admin.get(&id).await.unwrap().custom_ids;
    assert_eq!(ids, with_custom_ids("", &[("erp", "7"), ("dms", "7")]).custom_ids);
    assert_consistent(&world).await;
}

#[tokio::test]
async fn a_repeated_creation_that_took_a_value_gets_its_stored_answer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let id = north.admin.create(with_custom_ids("Ada", &[("erp", "7")])).await.unwrap().id;
    acme.admin.transfer(&[&id], &south.account).await.unwrap();
    let request = request_id();
    let taken = with_custom_ids("Bob", &[("erp", "7")]);
    let first = crate::repeats::create(&north.admin, taken.clone(), &request).await.unwrap();
    let again = crate::repeats::create(&north.admin, taken, &request).await.unwrap();
    assert_eq!(again, pb::CreateCustomerResponse { replayed: true, ..first });
    assert_consistent(&world).await;
}

#[tokio::test]
async fn a_value_is_taken_once_while_its_customer_comes_back() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    for round in 0..crate::world::rounds(8) {
        let value = format!("E{round}");
        let id = north.admin.create(with_custom_ids("Ada", &[("erp", &value)])).await.unwrap().id;
        acme.admin.transfer(&[&id], &south.account).await.unwrap();
        let bob = north.admin.create(customer("Bob")).await.unwrap().id;
        let ids = [id.as_str()];
        let (back, set, new) = tokio::join!(
            acme.admin.transfer(&ids, &north.account),
            north.admin.set_id(&bob, "erp", &value),
            north.admin.create(with_custom_ids("Cas", &[("erp", &value)])),
        );
        back.unwrap();
        let takers = [set.map(drop), new.map(drop)];
        let taken = takers.iter().filter(|taker| taker.is_ok()).count();
        for refused in takers.into_iter().filter(Result::is_err) {
            assert_refused(refused, Code::AlreadyExists, "CUSTOM_ID_TAKEN");
        }
        assert!(taken <= 1);
        assert_eq!(north.admin.get(&id).await.unwrap().custom_ids.is_empty(), taken == 1, "round {round}");
        assert_consistent(&world).await;
    }
}

#[tokio::test]
async fn an_alias_of_a_customer_in_sight_is_found_beside_a_hidden_holder() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let bob = north.admin.create(with_custom_ids("Bob", &[("erp", "7")])).await.unwrap().id;
    north.admin.set_id(&bob, "erp", "8").await.unwrap();
    let ada = north.admin.create(with_custom_ids("Ada", &[("erp", "7")])).await.unwrap().id;
    assert_eq!(north.admin.lookup("7", "erp").await.unwrap(), (ada.clone(), false));
    acme.admin.transfer(&[&ada], &south.account).await.unwrap();
    assert_eq!(north.admin.lookup("7", "erp").await.unwrap(), (bob, true));
    // An update of a customer in sight is not in the way of the hidden one.
    let request = pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { id: ada, ..customer("Ida") }),
        update_mask: Some(mask(&["name"])),
        ..Default::default()
    };
    assert_refused(north.admin.customers().update_customer(request).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
}
