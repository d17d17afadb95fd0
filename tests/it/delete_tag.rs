//! DeleteTag.

use clientele::grpc::pb::{self, CustomerEventType, DeleteTagRequest as Deletion};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    create_tag::create,
    modify_customer_tags::{assert_consistent, catalogue, pair, tags_of},
    rows::rows,
    world::{
        Client, World, assert_refused, bad_fields, customer, metadata, repeat_at_once, request_id, unknown_id, wire,
    },
};

pub async fn delete(client: &Client, id: &str) -> Result<pb::DeleteTagResponse, Status> {
    call(client, &Deletion { tag_id: id.to_owned(), ..Default::default() }).await
}

async fn call(client: &Client, request: &Deletion) -> Result<pb::DeleteTagResponse, Status> {
    Ok(client.tags().delete_tag(request.clone()).await?.into_inner())
}

#[tokio::test]
async fn deleting_a_tag_removes_it_from_all_customers_with_an_event_and_a_new_etag_each() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let dealer = acme.child("north").await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Ada") };
    let ada = acme.admin.create(fleet).await.unwrap();
    let bob = dealer.admin.create(customer("Bob")).await.unwrap();
    let eve = dealer.admin.create(customer("Eve")).await.unwrap();
    dealer.admin.tag(&[&ada.id, &bob.id, &eve.id], &["north"], &[]).await.unwrap();
    dealer.admin.tag(&[&ada.id, &bob.id], &["vip"], &[]).await.unwrap();
    acme.admin.tag(&[&ada.id], &["vip"], &[]).await.unwrap();
    let theirs = acme.admin.get(&ada.id).await.unwrap();
    let before = [dealer.admin.get(&ada.id).await.unwrap(), dealer.admin.get(&bob.id).await.unwrap()];
    let untouched = dealer.admin.get(&eve.id).await.unwrap();

    let answer = delete(&dealer.admin, &before[0].tags[1].id).await.unwrap();

    assert_eq!((answer.customer_count, answer.replayed), (2, false));
    for before in &before {
        assert_eq!(tags_of(&dealer.admin, &before.id).await, ["north"]);
        let now = dealer.admin.get(&before.id).await.unwrap();
        assert_ne!(now.etag, before.etag);
        let events = dealer.admin.events(&before.id).await.unwrap();
        let [last, put_on, ..] = &events[..] else { panic!("{events:?}") };
        assert_eq!((last.r#type(), put_on.r#type()), {
            (CustomerEventType::TagsChanged, CustomerEventType::TagsChanged)
        });
        assert_eq!(last.rpc, "clientele.v1.TagService/DeleteTag");
        assert_eq!(last.changes.len(), 1);
        assert_eq!(last.changes[0].field, "tags");
        assert_eq!(last.changes[0].old_value, put_on.changes[0].new_value);
        assert_eq!(last.changes[0].new_value, put_on.changes[0].old_value);
    }
    assert_eq!(dealer.admin.get(&eve.id).await.unwrap(), untouched);
    assert_eq!(acme.admin.get(&ada.id).await.unwrap(), theirs, "another account's tag of the name stays");
    assert_eq!(catalogue(&dealer.admin).await, [("north".to_owned(), 3)]);
    assert_consistent(&world).await;

    dealer.admin.tag(&[&bob.id], &["vip"], &[]).await.unwrap();
    assert_ne!(dealer.admin.get(&bob.id).await.unwrap().tags[1].id, before[0].tags[1].id, "the name is free again");
}

#[tokio::test]
async fn a_customer_that_is_no_longer_visible_loses_the_tag_too() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let dealer = acme.child("north").await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Ada") };
    let ada = acme.admin.create(fleet.clone()).await.unwrap();
    dealer.admin.tag(&[&ada.id], &["vip"], &[]).await.unwrap();
    let vip = dealer.admin.get(&ada.id).await.unwrap().tags.remove(0);
    let local = pb::Customer { id: ada.id.clone(), reach: pb::Reach::Local.into(), ..Default::default() };
    acme.admin.update(local, &["reach"]).await.unwrap();
    assert_eq!(
        catalogue(&dealer.admin).await,
        [("vip".to_owned(), 0)],
        "customers that are not visible are not counted"
    );

    assert_eq!(delete(&dealer.admin, &vip.id).await.unwrap().customer_count, 1);
    acme.admin.update(pb::Customer { id: ada.id.clone(), ..fleet }, &["reach"]).await.unwrap();
    assert!(dealer.admin.get(&ada.id).await.unwrap().tags.is_empty());
    assert_consistent(&world).await;
}

#[tokio::test]
async fn a_tag_of_another_account_does_not_exist() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let vip = create(&north.admin, "vip").await.unwrap();
    let before = rows(&world).await;

    // Above, sibling, another tenant: a tag belongs to one account.
    for client in [&acme.admin, &south.admin, &globex.admin] {
        let refused = assert_refused(delete(client, &vip.id).await, Code::NotFound, "TAG_NOT_FOUND");
        let absent = assert_refused(delete(client, &unknown_id()).await, Code::NotFound, "TAG_NOT_FOUND");
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    let malformed = assert_refused(delete(&north.admin, "7").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&malformed), ["tag_id"]);
    for role in [pb::Role::Viewer, pb::Role::Member] {
        let refused = delete(&north.member(role).await, &vip.id).await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("SERVICE_MANAGER"));
    }
    let after = rows(&world).await;
    assert_eq!((&after["tags"], &after["events"].len()), (&before["tags"], &(before["events"].len() + 2)), "2 members");
    delete(&north.member(pb::Role::ServiceManager).await, &vip.id).await.unwrap();
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_after_the_tag_is_deleted() {
    let world = World::in_production().await;
    let (acme, ada, bob) = pair(&world).await;
    acme.admin.tag(&[&ada.id, &bob.id], &["vip", "gold"], &[]).await.unwrap();
    let tags = acme.admin.get(&ada.id).await.unwrap().tags;
    let request = Deletion { tag_id: tags[1].id.clone(), request_id: request_id(), ..Default::default() };

    let answers = repeat_at_once(20, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.customer_count == 2));
    assert!(call(&acme.admin, &request).await.unwrap().replayed);

    let other = Deletion { tag_id: tags[0].id.clone(), ..request.clone() };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_refused(delete(&acme.admin, &tags[1].id).await, Code::NotFound, "TAG_NOT_FOUND");
    assert_eq!(tags_of(&acme.admin, &ada.id).await, ["gold"]);
    let events = acme.admin.events(&ada.id).await.unwrap();
    assert_eq!(events.iter().filter(|event| event.r#type() == CustomerEventType::TagsChanged).count(), 2);
}

#[tokio::test]
async fn validate_only_returns_the_count_and_changes_nothing() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    acme.admin.tag(&[&ada.id, &bob.id], &["vip"], &[]).await.unwrap();
    let vip = acme.admin.get(&ada.id).await.unwrap().tags.remove(0);
    let before = rows(&world).await;
    let only = Deletion { tag_id: vip.id, request_id: request_id(), validate_only: true };

    assert_eq!(call(&acme.admin, &only).await.unwrap(), pb::DeleteTagResponse { customer_count: 2, replayed: false });
    let absent = call(&acme.admin, &Deletion { tag_id: unknown_id(), ..only.clone() }).await;
    assert_refused(absent, Code::NotFound, "TAG_NOT_FOUND");
    assert_eq!(rows(&world).await, before);
    assert!(!call(&acme.admin, &Deletion { validate_only: false, ..only }).await.unwrap().replayed);
}

#[tokio::test]
async fn a_tag_on_more_than_10000_customers_must_be_removed_from_them_first() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    acme.admin.tag(&[&ada.id, &bob.id], &["vip"], &[]).await.unwrap();
    let vip = acme.admin.get(&ada.id).await.unwrap().tags.remove(0);
    world.copies(&ada.id, 9_999).await;
    let put_on = [
        "insert into customer_links select tenant_id, id, account_id, owner_link_revision, '{}', owner_tags
         from customers on conflict do nothing",
        "insert into customer_tags select tenant_id, id, account_id, owner_tags[1] from customers on conflict do nothing",
    ];
    for statement in put_on {
        sqlx::query(statement).execute(&mut world.sql().await).await.unwrap();
    }
    assert_consistent(&world).await;
    let listed = acme.admin.tags().list_tags(pb::ListTagsRequest::default()).await.unwrap().into_inner().tags;
    assert_eq!((listed[0].customer_count, listed[0].more_customers), (1_000, true), "at least");

    let refused = delete(&acme.admin, &vip.id).await;
    assert_refused(refused, Code::FailedPrecondition, "LIMIT_REACHED");
    acme.admin.tag(&[&bob.id], &[], &["vip"]).await.unwrap();
    assert_eq!(delete(&acme.admin, &vip.id).await.unwrap().customer_count, 10_000);
    assert_consistent(&world).await;
    let id = Uuid::parse_str(&vip.id).unwrap();
    let left = "select count(*) from customers where $1 = any(owner_tags)";
    let left: i64 = sqlx::query_scalar(left).bind(id).fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(left, 0);
}
