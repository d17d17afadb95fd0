//! CheckNameAvailability.

use clientele::grpc::pb::{self, NameUniqueness, Role};
use tonic::{Code, Status};

use crate::{
    custom_ids::{narrowed, written},
    world::{Client, World, assert_refused, bad_fields, customer},
};

fn request(name: &str) -> pb::CheckNameAvailabilityRequest {
    pb::CheckNameAvailabilityRequest { name: name.to_owned() }
}

async fn check(client: &Client, name: &str) -> Result<(bool, Vec<String>), Status> {
    let answer = client.customers().check_name_availability(request(name)).await?.into_inner();
    Ok((answer.available, answer.suggestions))
}

#[tokio::test]
async fn without_a_uniqueness_rule_every_name_is_available() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.admin.create(customer("Copaco")).await.unwrap();
    assert_eq!(check(&acme.admin, "Copaco").await.unwrap(), (true, vec![]));
}

#[tokio::test]
async fn a_taken_name_comes_with_free_suggestions() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", NameUniqueness::Tenant, pb::AccountPolicies::default()).await;
    for name in ["Copaco", "Copaco 3"] {
        acme.admin.create(customer(name)).await.unwrap();
    }
    for spelling in ["Copaco", " COPACO ", "ｃｏｐａｃｏ"] {
        let (available, suggestions) = check(&acme.admin, spelling).await.unwrap();
        assert!(!available, "{spelling}");
        assert_eq!(suggestions.len(), 3, "{suggestions:?}");
        assert!(!suggestions.iter().any(|name| name.ends_with('3')), "{suggestions:?}");
    }
    let (_, suggestions) = check(&acme.admin, "Copaco").await.unwrap();
    for name in suggestions {
        assert_eq!(check(&acme.admin, &name).await.unwrap(), (true, vec![]));
        acme.admin.create(customer(&name)).await.unwrap();
    }
    let (available, suggestions) = check(&acme.admin, "Copaco").await.unwrap();
    assert_eq!((available, suggestions.len()), (false, 0), "all similar names are taken");
    // A name of the maximum length has suggestions too.
    let long = "x".repeat(120);
    acme.admin.create(customer(&long)).await.unwrap();
    assert_eq!(check(&acme.admin, &long).await.unwrap().1[0], format!("{} 2", "x".repeat(118)));
}

#[tokio::test]
async fn it_agrees_with_create_and_does_not_show_who_has_the_name() {
    let world = World::start().await;
    for (rule, taken_by_sibling) in [(NameUniqueness::Account, false), (NameUniqueness::Tenant, true)] {
        let acme = world.tenant_with("acme", rule, pb::AccountPolicies::default()).await;
        let (north, south) = (acme.child("north").await, acme.child("south").await);
        north.admin.create(customer("Secret Ltd")).await.unwrap();
        let member = south.member(Role::Member).await;
        let answer = member.customers().check_name_availability(request("secret ltd")).await.unwrap().into_inner();
        assert_eq!(answer.available, !taken_by_sibling, "{rule:?}");
        assert!(
            !format!("{answer:?}").contains("Secret"),
            "the spelling of the other account is not shown: {answer:?}"
        );
        assert_eq!(member.create(customer("secret ltd")).await.is_ok(), answer.available);
        assert!(!check(&north.admin, "Secret Ltd").await.unwrap().0);
        // Names of another tenant do not count.
        let other = world.tenant_with("globex", rule, pb::AccountPolicies::default()).await;
        assert_eq!(check(&other.admin, "Secret Ltd").await.unwrap(), (true, vec![]));
    }
}

#[tokio::test]
async fn it_requires_a_member_and_a_name_and_writes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let viewer = acme.member(Role::Viewer).await;
    assert_refused(check(&viewer, "Ada").await, Code::PermissionDenied, "ROLE_TOO_LOW");
    for name in ["", "x\u{200B}y", &"x".repeat(121)] {
        let refused = assert_refused(check(&acme.admin, name).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["name"]);
    }
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let before = written(&world).await;
    // A read that names no customer also works in a narrowed call.
    let answer = acme.admin.customers().check_name_availability(narrowed(request("Bob"), &ada.id)).await.unwrap();
    assert!(answer.into_inner().available);
    assert_eq!(written(&world).await, before);
}
