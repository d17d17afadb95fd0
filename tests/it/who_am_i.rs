//! WhoAmI.

use clientele::grpc::pb;
use serde_json::json;
use tonic::Code;

use crate::world::{AUDIENCE, Client, ISSUER, SERVICE, World, assert_refused, bad_fields, now, unknown_id};

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
            waiting: true,
            tenant_suspended: false,
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

    // Accepted ones come first, in the same order.
    for accepted in [3, 1] {
        let request =
            pb::AcceptMembershipRequest { member_id: wanted[accepted].member_id.clone(), ..Default::default() };
        max.access().accept_membership(request).await.unwrap();
        wanted[accepted].waiting = false;
    }
    wanted.sort_by_key(|it| (it.waiting, it.tenant_id.clone(), it.account_id.clone()));
    for size in [1, 2, 3, 4, 0] {
        assert_eq!(max.memberships(size).await, wanted, "{size} a page");
    }
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
async fn pages_show_each_membership_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let globex = world.tenant("globex").await;
    acme.add("max", pb::Role::Viewer).await;
    globex.add("max", pb::Role::Viewer).await;
    let made = "
        with made as (
            insert into accounts (tenant_id, id, parent_id, ancestors, name, policies, created_at)
            select tenant_id, n.id, a.id, array[n.id, a.id], 'n', policies, created_at
            from accounts a, lateral (select gen_random_uuid() as id, a.id as of from generate_series(1, 1005)) n
            returning tenant_id, id
        )
        insert into members (tenant_id, member_id, account_id, issuer, subject, role, created_at, accepted_at)
        select made.tenant_id, gen_random_uuid(), made.id, issuer, subject, role, created_at,
               case when made.id::text < '8' then created_at end
        from made join members using (tenant_id) where subject = 'max'";
    for statement in [made, "update principals set accepted = true where subject = 'max'"] {
        sqlx::raw_sql(statement).execute(&mut world.sql().await).await.unwrap();
    }
    let max = world.subject("max");
    assert_eq!(who(&max).await.memberships.len(), 50, "by default");
    let key = |it: &pb::Membership| (it.waiting, it.tenant_id.clone(), it.account_id.clone());
    for size in [1_000, 2_000, 300] {
        let all = max.memberships(size).await;
        assert_eq!(all.len(), 2 * 1_006, "{size}");
        assert!(all.is_sorted_by(|one, next| key(one) < key(next)), "{size}");
    }
    let of_acme = max.in_tenant(&acme.tenant).memberships(500).await;
    assert_eq!(of_acme.len(), 1_006);
    assert!(of_acme.iter().all(|it| it.tenant_id == acme.tenant));
}

#[tokio::test]
async fn a_token_of_a_page_is_its_principals_and_of_its_tenant() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    for subject in ["max", "eve"] {
        acme.add(subject, pb::Role::Viewer).await;
        north.add(subject, pb::Role::Viewer).await;
    }
    let page = async |client: &Client, page_size: i32, token: &str| {
        let request = pb::WhoAmIRequest { page_size, page_token: token.to_owned() };
        client.access().who_am_i(request).await.map(tonic::Response::into_inner)
    };
    let (max, eve) = (world.subject("max"), world.subject("eve"));
    let token = page(&max, 1, "").await.unwrap().next_page_token;
    assert_eq!(page(&max, 1, &token).await.unwrap().memberships.len(), 1);
    for client in [&eve, &max.in_tenant(&acme.tenant)] {
        assert_refused(page(client, 1, &token).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    assert_refused(page(&max, 1, "x").await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let refused = assert_refused(page(&max, -1, "").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["page_size"]);
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
