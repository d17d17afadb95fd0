//! WhoAmI.

use clientele::grpc::pb;
use serde_json::json;

use crate::world::{AUDIENCE, Client, ISSUER, SERVICE, World, now, unknown_id};

async fn who(client: &Client) -> pb::WhoAmIResponse {
    client.access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap().into_inner()
}

fn of(subject: &str) -> Option<pb::Principal> {
    Some(pb::Principal { issuer: ISSUER.to_owned(), subject: subject.to_owned() })
}

#[tokio::test]
async fn a_caller_without_membership_gets_only_its_identity() {
    let world = World::start().await;
    world.tenant("acme").await;
    let wanted = pb::WhoAmIResponse { principal: of("stranger"), ..Default::default() };
    assert_eq!(who(&world.subject("stranger")).await, wanted);
}

#[tokio::test]
async fn memberships_are_listed_by_tenant_and_account_with_their_roles() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let globex = world.tenant("globex").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let mut wanted = Vec::new();
    // Not in sorted order.
    for (test_account, name, role) in [
        (&globex, "globex", pb::Role::Admin),
        (&south, "south", pb::Role::Viewer),
        (&acme, "acme", pb::Role::Member),
        (&north, "north", pb::Role::ServiceManager),
    ] {
        let member = test_account.add("max", role).await;
        wanted.push(pb::Membership {
            tenant_id: test_account.tenant.clone(),
            account_id: test_account.account.clone(),
            account_name: name.to_owned(),
            role: role.into(),
            member_id: member.member_id,
            waiting: false,
        });
    }
    wanted.sort_by_key(|membership| (membership.tenant_id.clone(), membership.account_id.clone()));
    let max = world.subject("max");
    assert_eq!(who(&max).await.memberships, wanted);
    let of_tenant = |tenant: &str| wanted.iter().filter(|it| it.tenant_id == tenant).cloned().collect::<Vec<_>>();
    assert_eq!(who(&max.in_tenant(&acme.tenant)).await.memberships, of_tenant(&acme.tenant));
    assert_eq!(who(&max.in_tenant(&globex.tenant)).await.memberships, of_tenant(&globex.tenant));
    assert_eq!(who(&max.in_tenant(&unknown_id())).await.memberships, []);
    assert_eq!(who(&max.acting_in(&unknown_id())).await.memberships, wanted, "it needs no acting account");
}

#[tokio::test]
async fn a_new_membership_is_listed_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let max = world.subject("max");
    assert_eq!(who(&max).await.memberships.len(), 0);
    acme.add("max", pb::Role::Viewer).await;
    assert_eq!(who(&max).await.memberships.len(), 1);
}

#[tokio::test]
async fn at_most_a_thousand_memberships_are_listed() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.add("max", pb::Role::Viewer).await;
    sqlx::raw_sql(
        "with made as (
             insert into accounts (tenant_id, id, parent_id, ancestors, name, policies, created_at)
             select tenant_id, n.id, a.id, array[n.id, a.id], 'n', policies, created_at
             from accounts a, lateral (select gen_random_uuid() as id, a.id as of from generate_series(1, 1005)) n
             returning tenant_id, id
         )
         insert into members (tenant_id, member_id, account_id, issuer, subject, role, created_at)
         select made.tenant_id, gen_random_uuid(), made.id, issuer, subject, role, created_at
         from made, members where subject = 'max'",
    )
    .execute(&mut world.sql().await)
    .await
    .unwrap();
    let memberships = who(&world.subject("max")).await.memberships;
    assert_eq!(memberships.len(), 1_000);
    assert!(memberships.is_sorted_by_key(|membership| membership.account_id.clone()));
}

#[tokio::test]
async fn operators_and_service_principals_are_reported_as_such() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let operator = who(&world.operator()).await;
    assert!(operator.platform_operator && operator.memberships.is_empty());
    assert_eq!(operator.service_role(), pb::Role::Unspecified);
    for service in [world.subject(SERVICE), world.subject(SERVICE).in_tenant(&acme.tenant)] {
        let service = who(&service).await;
        assert_eq!((service.service_role(), service.platform_operator), (pb::Role::Member, false));
        assert!(service.memberships.is_empty(), "its role comes from the configuration, not from a membership");
    }
    assert!(!who(&acme.admin).await.platform_operator);
}

#[tokio::test]
async fn actors_are_listed_current_one_first() {
    let world = World::start().await;
    let act = json!({"sub": "portal", "act": {"iss": "https://partner.example", "sub": "batch"}});
    let claims = json!({"iss": ISSUER, "aud": AUDIENCE, "sub": "max", "exp": now() + 60, "act": act});
    let identity = who(&world.bearer(world.keys.sign(claims))).await;
    assert_eq!(identity.principal, of("max"));
    let batch = pb::Principal { issuer: "https://partner.example".to_owned(), subject: "batch".to_owned() };
    assert_eq!(identity.actors, [of("portal").unwrap(), batch]);
}
