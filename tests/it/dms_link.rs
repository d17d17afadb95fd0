//! Customers' branches, and the link to the acting account's dealer management system.

use clientele::grpc::pb::{self, DmsLink, Reach};
use tonic::Code;

use crate::{
    create_branch::branch,
    update_branch::update,
    world::{Client, World, assert_refused, bad_fields, customer, unknown_id},
};

async fn dms(client: &Client, id: &str) -> DmsLink {
    client.get(id).await.unwrap().dms_link()
}

fn numbered(name: &str) -> pb::Customer {
    pb::Customer { custom_ids: [("dms".to_owned(), format!("{name}-1"))].into(), ..customer(name) }
}

async fn integrate(client: &Client, branch: &pb::Branch, integrated: bool) {
    let changed = pb::Branch { dms_integrated: integrated, ..branch.clone() };
    update(client, &changed, &["dms_integrated"]).await.unwrap();
}

#[tokio::test]
async fn the_owners_dms_link_depends_on_branch_and_number() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let plain = branch(&acme.admin, "Breda", false).await.unwrap();
    let ada = acme.admin.create(pb::Customer { branch_id: plain.id.clone(), ..numbered("Ada") }).await.unwrap();
    let bob = acme.admin.create(pb::Customer { branch_id: plain.id.clone(), ..customer("Bob") }).await.unwrap();
    assert_eq!((ada.dms_link(), bob.dms_link()), (DmsLink::NotIntegrated, DmsLink::NotIntegrated));

    // The branch becomes integrated, and then not integrated again.
    integrate(&acme.admin, &plain, true).await;
    assert_eq!((dms(&acme.admin, &ada.id).await, dms(&acme.admin, &bob.id).await), {
        (DmsLink::Linked, DmsLink::NumberMissing)
    });
    let now = acme.admin.get(&ada.id).await.unwrap();
    assert_eq!(now.etag, ada.etag, "this is not a change of the customer");
    integrate(&acme.admin, &plain, false).await;
    assert_eq!(dms(&acme.admin, &ada.id).await, DmsLink::NotIntegrated);

    // An integrated branch of the account that is not the customer's does not count.
    let with_dms = branch(&acme.admin, "Venlo", true).await.unwrap();
    assert_eq!(dms(&acme.admin, &ada.id).await, DmsLink::NotIntegrated);
    let moved = pb::Customer { branch_id: with_dms.id.clone(), ..ada.clone() };
    assert_eq!(acme.admin.update(moved, &["branch_id"]).await.unwrap().dms_link(), DmsLink::Linked);
    // For a customer without a branch, any branch of the account counts.
    let without = pb::Customer { branch_id: String::new(), ..ada.clone() };
    assert_eq!(acme.admin.update(without, &["branch_id"]).await.unwrap().dms_link(), DmsLink::Linked);
    integrate(&acme.admin, &with_dms, false).await;
    assert_eq!(dms(&acme.admin, &ada.id).await, DmsLink::NotIntegrated);
}

#[tokio::test]
async fn provider_and_dealer_have_dms_links_of_their_own() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let dealer = north.child("dealer").await;
    let with_dms = branch(&north.admin, "Venlo", true).await.unwrap();
    let fleet = pb::Customer { branch_id: with_dms.id.clone(), reach: Reach::Fleet.into(), ..numbered("Ada") };
    let ada = north.admin.create(fleet).await.unwrap();
    let views = async || {
        let mut views = Vec::new();
        for test_account in [&acme, &north, &dealer] {
            views.push(dms(&test_account.admin, &ada.id).await);
        }
        views
    };
    // Owned by another account: any branch of the acting account counts, with its own number, not the owner's.
    assert_eq!(views().await, [DmsLink::NotIntegrated, DmsLink::Linked, DmsLink::NotIntegrated]);
    let above = branch(&acme.admin, "Venlo", true).await.unwrap();
    assert_eq!(views().await, [DmsLink::NumberMissing, DmsLink::Linked, DmsLink::NotIntegrated]);
    let below = branch(&dealer.admin, "Blerick", false).await.unwrap();
    assert_eq!(views().await, [DmsLink::NumberMissing, DmsLink::Linked, DmsLink::NotIntegrated]);
    integrate(&dealer.admin, &below, true).await;
    assert_eq!(views().await, [DmsLink::NumberMissing, DmsLink::Linked, DmsLink::NumberMissing]);
    integrate(&acme.admin, &above, false).await;
    integrate(&north.admin, &with_dms, false).await;
    assert_eq!(views().await, [DmsLink::NotIntegrated, DmsLink::NotIntegrated, DmsLink::NumberMissing]);

    // The dealer does not see the owner's branch.
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().branch_id, with_dms.id);
    assert_eq!(dealer.admin.get(&ada.id).await.unwrap().branch_id, "");
}

#[tokio::test]
async fn a_customers_branch_belongs_to_its_owner() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let globex = world.tenant("globex").await;
    let own = branch(&north.admin, "Venlo", false).await.unwrap();
    let ada = north.admin.create(pb::Customer { branch_id: own.id.to_uppercase(), ..customer("Ada") }).await.unwrap();
    assert_eq!(ada.branch_id, own.id);

    let mut others = vec![unknown_id()];
    for test_account in [&acme, &globex] {
        others.push(branch(&test_account.admin, "Venlo", true).await.unwrap().id);
    }
    // A caller that acts above the owner sets one of the owner's branches.
    for client in [&north.admin, &acme.admin] {
        for other in &others {
            let changed = pb::Customer { branch_id: other.clone(), ..ada.clone() };
            let refused = client.update(changed, &["branch_id"]).await;
            let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
            assert_eq!(bad_fields(&refused), ["customer.branch_id"]);
        }
    }
    for other in &others {
        let refused = north.admin.create(pb::Customer { branch_id: other.clone(), ..customer("Bob") }).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["customer.branch_id"]);
    }
    let malformed = pb::Customer { branch_id: "7".to_owned(), ..customer("Bob") };
    let refused = assert_refused(north.admin.create(malformed).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["customer.branch_id"]);
    assert_eq!(north.admin.get(&ada.id).await.unwrap(), ada);

    let second = branch(&north.admin, "Blerick", false).await.unwrap();
    let moved = pb::Customer { branch_id: second.id.clone(), ..ada.clone() };
    assert_eq!(acme.admin.update(moved, &["branch_id"]).await.unwrap().branch_id, second.id);
    let events = north.admin.events(&ada.id).await.unwrap();
    assert_eq!(events[0].changes.iter().map(|change| change.field.as_str()).collect::<Vec<_>>(), ["branch_id"]);
}
