//! AddMember.

use clientele::grpc::pb;
use sqlx::Row as _;
use tokio::task::JoinSet;
use tonic::{Code, Response, Status};

use crate::{
    rows::rows,
    world::{Client, ISSUER, World, assert_refused, bad_fields, customer, principal, request_id},
};

fn request(subject: &str, role: pb::Role) -> pb::AddMemberRequest {
    pb::AddMemberRequest { principal: Some(principal(subject)), role: role.into(), ..Default::default() }
}

async fn add(client: &Client, request: pb::AddMemberRequest) -> Result<pb::AddMemberResponse, Status> {
    client.access().add_member(request).await.map(Response::into_inner)
}

#[tokio::test]
async fn a_member_has_its_role_in_the_acting_account_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let max = world.subject("max").acting_in(&north.account);
    // The server caches the refusal; the change drops it from the cache.
    assert_refused(max.create(customer("Ada")).await, Code::PermissionDenied, "NOT_A_MEMBER");

    let made = add(&north.admin, request("max", pb::Role::Member)).await.unwrap();
    let member = made.member.unwrap();
    assert!(!made.replayed && !member.member_id.is_empty() && member.create_time.is_some());
    assert_eq!((member.account_id.as_str(), member.role()), (north.account.as_str(), pb::Role::Member));
    assert_eq!(member.principal, Some(pb::Principal { issuer: ISSUER.to_owned(), subject: "max".to_owned() }));
    max.create(customer("Ada")).await.unwrap();

    let event = sqlx::query(
        "select tenant_id::text, acting_account_id::text, member_id::text, changes->'role'->>'new', rpc
         from events where type = 'MEMBER_ADDED' order by seq desc limit 1",
    )
    .fetch_one(&mut world.sql().await)
    .await
    .unwrap();
    let values: [&str; 5] = std::array::from_fn(|column| event.get(column));
    assert_eq!(
        values,
        [&acme.tenant, &north.account, &member.member_id, "MEMBER", "clientele.v1.AccessService/AddMember"]
    );
}

#[tokio::test]
async fn a_principal_is_a_member_of_an_account_once_whatever_the_role() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    add(&acme.admin, request("max", pb::Role::Member)).await.unwrap();
    let before = rows(&world).await;
    for role in [pb::Role::Member, pb::Role::Admin] {
        let plain = request("max", role);
        let only = pb::AddMemberRequest { validate_only: true, ..plain.clone() };
        let repeatable = pb::AddMemberRequest { request_id: request_id(), ..plain.clone() };
        let spelt_out = pb::AddMemberRequest {
            principal: Some(pb::Principal { issuer: ISSUER.to_owned(), ..principal("max") }),
            ..plain.clone()
        };
        for asked in [plain, only, repeatable, spelt_out] {
            assert_refused(add(&acme.admin, asked).await, Code::AlreadyExists, "MEMBER_EXISTS");
        }
    }
    assert_eq!(rows(&world).await, before);
    // In another account, of another issuer, or in another spelling it is another member.
    add(&north.admin, request("max", pb::Role::Admin)).await.unwrap();
    add(&acme.admin, request("Max", pb::Role::Admin)).await.unwrap();
    let other = pb::Principal { issuer: "https://partner.example".to_owned(), ..principal("max") };
    let asked = pb::AddMemberRequest { principal: Some(other), ..request("", pb::Role::Admin) };
    add(&acme.admin, asked).await.unwrap();
}

#[tokio::test]
async fn every_error_is_reported_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    let long = "x".repeat(256);
    let who =
        |issuer: &str, subject: &str| Some(pb::Principal { issuer: issuer.to_owned(), subject: subject.to_owned() });
    for (principal, role, id, wanted) in [
        (None, 0, "", vec!["principal", "role"]),
        (who("", ""), 99, "x", vec!["principal.subject", "request_id", "role"]),
        (who("a b", " \u{7}"), -1, "", vec!["principal.issuer", "principal.subject", "role"]),
        (who(&long, &long), 1, "", vec!["principal.issuer", "principal.subject"]),
    ] {
        for validate_only in [false, true] {
            let asked =
                pb::AddMemberRequest { principal: principal.clone(), role, request_id: id.to_owned(), validate_only };
            let refused = assert_refused(add(&acme.admin, asked).await, Code::InvalidArgument, "INVALID_FIELDS");
            let mut fields = bad_fields(&refused);
            fields.sort();
            assert_eq!(fields, wanted);
        }
    }
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let asked = pb::AddMemberRequest { request_id: request_id(), ..request("max", pb::Role::Viewer) };
    let first = add(&acme.admin, asked.clone()).await.unwrap();
    let before = rows(&world).await;
    let again = add(&acme.admin, asked.clone()).await.unwrap();
    assert_eq!(again, pb::AddMemberResponse { replayed: true, ..first });

    for body in [request("max", pb::Role::Admin), request("eve", pb::Role::Viewer)] {
        let other = pb::AddMemberRequest { request_id: asked.request_id.clone(), ..body };
        assert_refused(add(&acme.admin, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    }
    assert_refused(add(&north.admin, asked.clone()).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    // A repeat is authorized again.
    let demoted = "update members set role = 'MEMBER' where role = 'ADMIN'";
    sqlx::query(demoted).execute(&mut world.sql().await).await.unwrap();
    let fresh = World::start_with(world.database.clone(), |_| ()).await;
    let subject: String = sqlx::query_scalar("select subject from members where role = 'MEMBER'")
        .fetch_one(&mut world.sql().await)
        .await
        .unwrap();
    let refused = add(&fresh.subject(&subject).acting_in(&acme.account), asked).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(rows(&world).await["events"], before["events"]);
}

#[tokio::test]
async fn a_refusal_leaves_its_request_id_free() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    add(&acme.admin, request("max", pb::Role::Viewer)).await.unwrap();
    let id = request_id();
    let taken = pb::AddMemberRequest { request_id: id.clone(), ..request("max", pb::Role::Viewer) };
    assert_refused(add(&acme.admin, taken).await, Code::AlreadyExists, "MEMBER_EXISTS");
    let free = pb::AddMemberRequest { request_id: id, ..request("eve", pb::Role::Viewer) };
    assert!(!add(&acme.admin, free).await.unwrap().replayed);
}

#[tokio::test]
async fn fifty_concurrent_calls_make_one_member() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let asked = pb::AddMemberRequest { request_id: request_id(), ..request("max", pb::Role::Member) };
    let at_once = async |asked: pb::AddMemberRequest| {
        let mut calls = JoinSet::new();
        for _ in 0..50 {
            let (client, asked) = (acme.admin.clone(), asked.clone());
            calls.spawn(async move { add(&client, asked).await });
        }
        calls.join_all().await
    };
    let answers: Vec<_> = at_once(asked).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.member == answers[0].member));

    // Without a request_id one call succeeds and the others get the reason.
    let answers = at_once(request("eve", pb::Role::Member)).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1);
    for refusal in refused {
        assert_refused(refusal, Code::AlreadyExists, "MEMBER_EXISTS");
    }
    assert_eq!(rows(&world).await["members"].len(), 3);
}

#[tokio::test]
async fn validate_only_stores_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    let asked = pb::AddMemberRequest { request_id: request_id(), ..request("max", pb::Role::Member) };
    let only = pb::AddMemberRequest { validate_only: true, ..asked.clone() };
    let would_be = add(&acme.admin, only).await.unwrap().member.unwrap();
    assert_eq!((would_be.member_id.as_str(), would_be.role()), ("", pb::Role::Member));
    assert_eq!(would_be.principal.unwrap().subject, "max");
    assert_eq!(rows(&world).await, before);
    assert_refused(world.subject("max").get("x").await, Code::PermissionDenied, "NOT_A_MEMBER");
    assert!(!add(&acme.admin, asked).await.unwrap().replayed);
}
