//! MergeCustomers: limits, and who may move custom IDs.

use clientele::grpc::pb::{self, MergeBlocker, MergeCustomersRequest as Merging};
use tonic::Code;

use crate::{
    custom_ids::with_custom_ids,
    merge_customers::{call, merging},
    rows::rows,
    world::{World, assert_refused, bad_fields, customer, requiring, unknown_id},
};

#[tokio::test]
async fn what_is_too_much_together_is_a_blocker() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let contacts = |of: &str| -> Vec<pb::Contact> {
        let contact = |number| pb::Contact { first_name: format!("{of} {number}"), ..Default::default() };
        (0..30).map(contact).collect()
    };
    let labels = |of: &str| (0..30).map(|number| (format!("{of}{number}"), "x".to_owned())).collect();
    let made = async |of: &str| {
        let systems: Vec<(String, String)> =
            (0..15).map(|number| (format!("{of}{number}"), format!("{of}{number}"))).collect();
        let made = pb::Customer {
            contacts: contacts(of),
            labels: labels(of),
            custom_ids: systems.into_iter().collect(),
            ..customer(of)
        };
        acme.admin.create(made).await.unwrap().id
    };
    let (ada, bob) = (made("a").await, made("b").await);
    let before = rows(&world).await;
    let preview = Merging { validate_only: true, ..merging(&ada, &[&bob]) };
    let blockers = async |request: &Merging| -> Vec<MergeBlocker> {
        let found = call(&acme.admin, request).await.unwrap().blockers;
        found.iter().map(pb::BlockedMerge::blocker).collect()
    };
    assert_eq!(blockers(&preview).await, [MergeBlocker::TooManyContacts, MergeBlocker::TooManyLabels]);
    let choices = [("contacts".to_owned(), ada.clone()), ("labels".to_owned(), bob.clone())];
    let chosen = Merging { choices: choices.into(), ..preview };
    assert_eq!(blockers(&chosen).await, [MergeBlocker::TooManyCustomIds]);
    let refused = call(&acme.admin, &Merging { validate_only: false, ..chosen }).await;
    assert_refused(refused, Code::FailedPrecondition, "LIMIT_REACHED");
    assert_eq!(rows(&world).await, before);
    let many: Vec<String> = (0..21).map(|_| unknown_id()).collect();
    let many = Merging { merged_customer_ids: many, ..merging(&ada, &[]) };
    for request in [many, merging(&ada, &[])] {
        let refused = assert_refused(call(&acme.admin, &request).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["merged_customer_ids"]);
    }
}

#[tokio::test]
async fn moving_custom_ids_takes_the_accounts_role_and_a_required_field_stays() {
    let world = World::start().await;
    let policies = pb::AccountPolicies { custom_id_role: pb::Role::Admin.into(), ..requiring(&["email"], &[]) };
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, policies).await;
    let with_email = |made: pb::Customer| pb::Customer { email: "ada@x.example".to_owned(), ..made };
    let ada = acme.admin.create(with_email(customer("Ada"))).await.unwrap().id;
    let bob = acme.admin.create(with_email(with_custom_ids("Bob", &[("erp", "1")]))).await.unwrap().id;
    let eve = acme.admin.create(with_email(customer("Eve"))).await.unwrap().id;
    let manager = acme.member(pb::Role::ServiceManager).await;
    assert_refused(manager.merge(&ada, &[&bob]).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    manager.merge(&ada, &[&eve]).await.unwrap();
    acme.admin.merge(&ada, &[&bob]).await.unwrap();
    let member = acme.member(pb::Role::Member).await;
    assert_refused(member.merge(&ada, &[&bob]).await, Code::PermissionDenied, "ROLE_TOO_LOW");
}
