//! RenameTag.

use clientele::grpc::pb::{self, RenameTagRequest as Renaming};
use tonic::{Code, Status};

use crate::{
    create_tag::create,
    modify_customer_tags::{catalogue, pair, tags_of},
    rows::rows,
    world::{
        Client, World, assert_refused, at_once, bad_fields, metadata, repeat_at_once, request_id, unknown_id, wire,
    },
};

fn renaming(id: &str, name: &str) -> Renaming {
    Renaming { tag_id: id.to_owned(), name: name.to_owned(), ..Default::default() }
}

async fn call(client: &Client, request: &Renaming) -> Result<pb::RenameTagResponse, Status> {
    Ok(client.tags().rename_tag(request.clone()).await?.into_inner())
}

async fn rename(client: &Client, id: &str, name: &str) -> Result<pb::Tag, Status> {
    Ok(call(client, &renaming(id, name)).await?.tag.unwrap())
}

#[tokio::test]
async fn a_renamed_tag_shows_on_every_customer_and_changes_none_of_them() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    acme.admin.tag(&[&ada.id, &bob.id], &["vip", "north"], &[]).await.unwrap();
    let before = acme.admin.get(&ada.id).await.unwrap();
    let stored = world.stored().await;

    let renamed = rename(&acme.admin, &before.tags[1].id, "Gold").await.unwrap();

    assert_eq!(renamed, pb::Tag { id: before.tags[1].id.clone(), name: "Gold".to_owned() });
    for id in [&ada.id, &bob.id] {
        assert_eq!(tags_of(&acme.admin, id).await, ["Gold", "north"], "with the new name");
    }
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().etag, before.etag);
    assert_eq!(world.stored().await, stored);
    assert_eq!(catalogue(&acme.admin).await, [("Gold".to_owned(), 2), ("north".to_owned(), 2)]);

    // The old name is free, the new one is taken.
    acme.admin.tag(&[&ada.id], &["VIP"], &["gold"]).await.unwrap();
    assert_eq!(tags_of(&acme.admin, &ada.id).await, ["north", "VIP"]);
}

#[tokio::test]
async fn another_spelling_is_a_change_and_the_same_is_none() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let vip = create(&acme.admin, "vip").await.unwrap();
    assert_eq!(rename(&acme.admin, &vip.id, "VIP").await.unwrap().name, "VIP");
    let before = rows(&world).await;
    let same = Renaming { request_id: request_id(), ..renaming(&vip.id, " VIP ") };
    for _ in 0..2 {
        let answer = call(&acme.admin, &same).await.unwrap();
        assert_eq!((answer.tag.unwrap().name.as_str(), answer.replayed), ("VIP", false));
    }
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn a_name_that_another_tag_has_is_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let vip = create(&acme.admin, "vip").await.unwrap();
    create(&acme.admin, "Gold").await.unwrap();
    let before = rows(&world).await;
    assert_refused(rename(&acme.admin, &vip.id, "gold").await, Code::AlreadyExists, "TAG_EXISTS");
    let all = Renaming { tag_id: "7".to_owned(), request_id: "7".to_owned(), ..Default::default() };
    let refused = assert_refused(call(&acme.admin, &all).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    assert_eq!(fields, ["name", "request_id", "tag_id"]);
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn a_tag_of_another_account_does_not_exist_and_members_cannot_rename() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let vip = create(&north.admin, "vip").await.unwrap();
    for client in [&acme.admin, &south.admin, &globex.admin] {
        let refused = assert_refused(rename(client, &vip.id, "x").await, Code::NotFound, "TAG_NOT_FOUND");
        let absent = assert_refused(rename(client, &unknown_id(), "x").await, Code::NotFound, "TAG_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    for role in [pb::Role::Viewer, pb::Role::Member] {
        let refused = rename(&north.member(role).await, &vip.id, "x").await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    }
    assert_eq!(catalogue(&north.admin).await[0].0, "vip");
    rename(&north.member(pb::Role::ServiceManager).await, &vip.id, "x").await.unwrap();
}

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let vip = create(&acme.admin, "vip").await.unwrap();
    let request = Renaming { request_id: request_id(), ..renaming(&vip.id, "gold") };

    let answers = repeat_at_once(20, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    rename(&acme.admin, &vip.id, "silver").await.unwrap();
    let repeat = call(&acme.admin, &request).await.unwrap();
    assert!(repeat.replayed && repeat.tag.unwrap().name == "gold", "as it was then");
    assert_eq!(catalogue(&acme.admin).await[0].0, "silver");

    let other = Renaming { name: "bronze".to_owned(), ..request.clone() };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let absent = Renaming { tag_id: unknown_id(), ..request };
    assert_refused(call(&acme.admin, &absent).await, Code::NotFound, "TAG_NOT_FOUND");
}

#[tokio::test]
async fn one_of_many_concurrent_renames_to_a_name_wins() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let mut tags = Vec::new();
    for number in 0..10 {
        tags.push(create(&acme.admin, &format!("tag {number}")).await.unwrap());
    }
    let renamed = at_once(tags.iter().map(|tag| {
        let (client, id) = (acme.admin.clone(), tag.id.clone());
        async move { rename(&client, &id, "gold").await }
    }))
    .await;
    assert_eq!(renamed.iter().filter(|renamed| renamed.is_ok()).count(), 1);
    for refused in renamed.into_iter().filter(Result::is_err) {
        assert_refused(refused, Code::AlreadyExists, "TAG_EXISTS");
    }
}

#[tokio::test]
async fn validate_only_checks_everything_and_changes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let vip = create(&acme.admin, "vip").await.unwrap();
    create(&acme.admin, "gold").await.unwrap();
    let before = rows(&world).await;
    let only = Renaming { validate_only: true, request_id: request_id(), ..renaming(&vip.id, "silver") };
    assert_eq!(call(&acme.admin, &only).await.unwrap().tag.unwrap().name, "silver");
    let taken = call(&acme.admin, &Renaming { name: "Gold".to_owned(), ..only.clone() }).await;
    assert_refused(taken, Code::AlreadyExists, "TAG_EXISTS");
    let absent = call(&acme.admin, &Renaming { tag_id: unknown_id(), ..only }).await;
    assert_refused(absent, Code::NotFound, "TAG_NOT_FOUND");
    assert_eq!(rows(&world).await, before);
}
