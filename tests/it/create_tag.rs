//! CreateTag.

use clientele::grpc::pb::{self, CreateTagRequest as Creation};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    modify_customer_tags::catalogue,
    rows::rows,
    world::{Client, World, assert_refused, at_once, bad_fields, metadata, repeat_at_once, request_id, wire},
};

fn creation(name: &str) -> Creation {
    Creation { name: name.to_owned(), ..Default::default() }
}

async fn call(client: &Client, request: &Creation) -> Result<pb::CreateTagResponse, Status> {
    Ok(client.tags().create_tag(request.clone()).await?.into_inner())
}

/// Creates a tag.
pub async fn create(client: &Client, name: &str) -> Result<pb::Tag, Status> {
    Ok(call(client, &creation(name)).await?.tag.unwrap())
}

#[tokio::test]
async fn a_tag_keeps_its_spelling_and_only_its_account_sees_it() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, globex) = (acme.child("north").await, world.tenant("globex").await);

    let tag = create(&acme.admin, "  Straße   7 ").await.unwrap();
    assert_eq!(tag.name, "Straße 7");
    assert_eq!(Uuid::parse_str(&tag.id).unwrap().get_version_num(), 7);
    assert_eq!(catalogue(&acme.admin).await, [("Straße 7".to_owned(), 0)]);

    let taken = assert_refused(create(&acme.admin, "STRASSE 7").await, Code::AlreadyExists, "TAG_EXISTS");
    assert_eq!(metadata(&taken, "field").as_deref(), Some("name"));
    for other in [&north.admin, &globex.admin] {
        assert_eq!(catalogue(other).await, []);
        assert_ne!(create(other, "Straße 7").await.unwrap().id, tag.id);
    }
    create(&acme.admin, "Strasse  8").await.unwrap();
    create(&acme.admin, "José").await.unwrap();
    create(&acme.admin, "Jose").await.unwrap();
}

#[tokio::test]
async fn malformed_names_are_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    for name in ["", "  ", &"é".repeat(41), "tab\u{7}", "zero\u{200b}width"] {
        let refused = assert_refused(create(&acme.admin, name).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["name"], "{name:?}");
    }
    let all = Creation { request_id: "7".to_owned(), ..creation("") };
    let refused = assert_refused(call(&acme.admin, &all).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused).len(), 2);
    assert_eq!(rows(&world).await, before);
    create(&acme.admin, &"é".repeat(40)).await.unwrap();
}

#[tokio::test]
async fn members_create_and_viewers_do_not() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let refused = create(&acme.member(pb::Role::Viewer).await, "vip").await;
    let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("MEMBER"));
    create(&acme.member(pb::Role::Member).await, "vip").await.unwrap();
}

#[tokio::test]
async fn a_catalogue_has_at_most_2000_tags() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let fill = "insert into tags (tenant_id, id, account_id, name, name_key, created_at)
                select $1, gen_random_uuid(), $1, 'tag ' || n, 'tag ' || n, now() from generate_series(1, 1995) as n";
    let tenant = Uuid::parse_str(&acme.tenant).unwrap();
    sqlx::query(fill).bind(tenant).execute(&mut world.sql().await).await.unwrap();
    let last = Creation { request_id: request_id(), ..creation("the last") };

    // Concurrent calls do not exceed the limit.
    let calls = (0..20).map(|number| {
        let client = acme.admin.clone();
        async move { create(&client, &format!("new {number}")).await }
    });
    let made = at_once(calls).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 5);
    for refused in made.into_iter().filter(Result::is_err) {
        let refused = assert_refused(refused, Code::FailedPrecondition, "LIMIT_REACHED");
        assert!(refused.message().contains("2,000"), "{refused:?}");
    }
    assert_refused(call(&acme.admin, &last).await, Code::FailedPrecondition, "LIMIT_REACHED");
    sqlx::query("delete from tags where name = 'tag 7'").execute(&mut world.sql().await).await.unwrap();
    let first = call(&acme.admin, &last).await.unwrap();
    let repeat = call(&acme.admin, &last).await.unwrap();
    assert_eq!(repeat, pb::CreateTagResponse { replayed: true, ..first }, "although the catalogue is full");
}

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let request = Creation { request_id: request_id(), ..creation("vip") };

    let answers = repeat_at_once(30, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.tag == answers[0].tag));
    assert_eq!(catalogue(&acme.admin).await.len(), 1);

    let other = Creation { name: "gold".to_owned(), ..request.clone() };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let north = acme.child("north").await;
    assert_refused(call(&north.admin, &request).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let colleague = call(&acme.member(pb::Role::Member).await, &request).await;
    assert_refused(colleague, Code::AlreadyExists, "TAG_EXISTS");
}

#[tokio::test]
async fn one_of_many_concurrent_creates_of_a_name_wins() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let calls = (0..30).map(|number| {
        let client = acme.admin.clone();
        async move { create(&client, if number % 2 == 0 { "vip" } else { "VIP" }).await }
    });
    let made = at_once(calls).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    let refusals: Vec<_> = made
        .into_iter()
        .filter(Result::is_err)
        .map(|refused| wire(&assert_refused(refused, Code::AlreadyExists, "TAG_EXISTS")))
        .collect();
    assert!(refusals.windows(2).all(|pair| pair[0] == pair[1]));
}

#[tokio::test]
async fn validate_only_checks_everything_and_changes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    create(&acme.admin, "vip").await.unwrap();
    let before = rows(&world).await;
    let only = Creation { validate_only: true, request_id: request_id(), ..creation("gold") };

    let would_be = call(&acme.admin, &only).await.unwrap().tag.unwrap();
    assert_eq!((would_be.id.as_str(), would_be.name.as_str()), ("", "gold"));
    let taken = call(&acme.admin, &Creation { name: "VIP".to_owned(), ..only.clone() }).await;
    assert_refused(taken, Code::AlreadyExists, "TAG_EXISTS");
    assert_eq!(rows(&world).await, before);
    assert!(!call(&acme.admin, &Creation { validate_only: false, ..only }).await.unwrap().replayed);
}
