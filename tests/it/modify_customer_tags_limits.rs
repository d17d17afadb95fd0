//! ModifyCustomerTags: limits and malformed requests.

use clientele::{domain::values::sort_key::SortKey, grpc::pb::ModifyCustomerTagsRequest as Tagging};
use tonic::Code;

use crate::{
    modify_customer_tags::{assert_consistent, catalogue, modify, pair, tagging, tags_of},
    rows::rows,
    world::{World, assert_refused, bad_fields, customer, metadata},
};

#[tokio::test]
async fn malformed_requests_report_every_error() {
    let world = World::start().await;
    let (acme, ada, _) = pair(&world).await;
    let before = rows(&world).await;
    let refused = async |request: Tagging| {
        let refused = modify(&acme.admin, &request).await;
        let mut fields = bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS"));
        fields.sort();
        fields
    };

    let many: Vec<String> = (0..101).map(|number| format!("tag {number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let id = ada.id.as_str();
    assert_eq!(refused(tagging(&[], &["x"], &[])).await, ["customer_ids"]);
    assert_eq!(refused(tagging(&vec![id; 1_001], &["x"], &[])).await, ["customer_ids"]);
    assert_eq!(refused(tagging(&[id], &[], &[])).await, ["add_tags"]);
    assert_eq!(refused(tagging(&[id], &many, &[])).await, ["add_tags"]);
    assert_eq!(refused(tagging(&[id], &[], &many)).await, ["remove_tags"]);
    assert_eq!(
        refused(tagging(&[id], &["VIP", "a"], &["b", "vip"])).await,
        ["remove_tags[1]"],
        "one name in both lists, compared folded"
    );
    let wrong = Tagging {
        request_id: "7".to_owned(),
        ..tagging(&["7", id], &["", "fine", &"é".repeat(41), "zero\u{200b}width"], &["\u{7}"])
    };
    assert_eq!(
        refused(wrong).await,
        ["add_tags[0]", "add_tags[2]", "add_tags[3]", "customer_ids[0]", "remove_tags[0]", "request_id"]
    );
    assert_eq!(rows(&world).await, before);

    let longest = "é".repeat(40);
    acme.admin.tag(&[id], &[&longest], &[]).await.unwrap();
    assert_eq!(tags_of(&acme.admin, id).await, [longest]);
}

#[tokio::test]
async fn a_customer_has_at_most_a_hundred_tags() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    let hundred: Vec<String> = (0..100).map(|number| format!("tag {number:03}")).collect();
    let hundred: Vec<&str> = hundred.iter().map(String::as_str).collect();
    acme.admin.tag(&[&bob.id], &hundred, &[]).await.unwrap();
    let before = rows(&world).await;

    let refused = acme.admin.tag(&[&ada.id, &bob.id], &["one more"], &[]).await;
    let refused = assert_refused(refused, Code::FailedPrecondition, "LIMIT_REACHED");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("customer_ids[1]"));
    assert_eq!(rows(&world).await, before, "the first customer did not change, and no tag was created");

    acme.admin.tag(&[&ada.id, &bob.id], &["one more"], &["tag 007"]).await.unwrap();
    assert_eq!(tags_of(&acme.admin, &bob.id).await.len(), 100);
    assert_consistent(&world).await;
}

#[tokio::test]
async fn the_catalogue_has_at_most_2000_tags() {
    let world = World::start().await;
    let (acme, ada, _) = pair(&world).await;
    let fill = "insert into tags (tenant_id, id, account_id, name, name_key, name_sort, created_at)
                select $1, gen_random_uuid(), $1, n, n, key, now() from unnest($2::text[], $3::bytea[]) as t (n, key)";
    let tenant = uuid::Uuid::parse_str(&acme.tenant).unwrap();
    let names: Vec<String> = (1..=1_999).map(|number| format!("tag {number}")).collect();
    let keys: Vec<Vec<u8>> = names.iter().map(|name| SortKey::of(name).as_bytes().to_vec()).collect();
    sqlx::query(fill).bind(tenant).bind(names).bind(keys).execute(&mut world.sql().await).await.unwrap();
    let before = rows(&world).await;

    let refused = acme.admin.tag(&[&ada.id], &["one", "two", "TAG 7"], &[]).await;
    assert_refused(refused, Code::FailedPrecondition, "LIMIT_REACHED");
    assert_eq!(rows(&world).await, before);
    acme.admin.tag(&[&ada.id], &["one", "TAG 7"], &[]).await.unwrap();
    acme.admin.tag(&[&ada.id], &["tag 8"], &[]).await.unwrap();
    assert_eq!(tags_of(&acme.admin, &ada.id).await, ["one", "tag 7", "tag 8"]);
    let child = acme.child("north").await;
    child.admin.create(customer("Eve")).await.unwrap();
    let own = child.admin.create(customer("Max")).await.unwrap();
    child.admin.tag(&[&own.id], &["one", "two"], &[]).await.unwrap();
}

#[tokio::test]
async fn a_thousand_customers_are_tagged_in_one_call() {
    let world = World::start().await;
    let (acme, ada, _) = pair(&world).await;
    let mut ids = world.copies(&ada.id, 999).await;
    ids.push(ada.id);
    let all: Vec<_> = ids.iter().map(String::as_str).collect();

    let answer = acme.admin.tag(&all, &["vip", "north"], &[]).await.unwrap();

    assert_eq!(answer.outcomes.iter().filter(|outcome| outcome.changed).count(), 1_000);
    assert_eq!(catalogue(&acme.admin).await, [("north".to_owned(), 1_000), ("vip".to_owned(), 1_000)]);
    assert_consistent(&world).await;
    let answer = acme.admin.tag(&all, &[], &["vip", "north"]).await.unwrap();
    assert_eq!(answer.outcomes.iter().filter(|outcome| outcome.changed).count(), 1_000);
    assert_eq!(catalogue(&acme.admin).await, [("north".to_owned(), 0), ("vip".to_owned(), 0)]);
    assert_consistent(&world).await;
}

#[tokio::test]
async fn a_thousand_customers_get_a_hundred_new_tags_in_slices_of_one_transaction() {
    let world = World::start().await;
    let (acme, ada, _) = pair(&world).await;
    let mut ids = world.copies(&ada.id, 999).await;
    ids.push(ada.id.clone());
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let hundred: Vec<String> = (0..100).map(|number| format!("{number:03} {}", "𝄞".repeat(36))).collect();
    let hundred: Vec<&str> = hundred.iter().map(String::as_str).collect();
    let request = Tagging { request_id: crate::world::request_id(), ..tagging(&ids, &hundred, &[]) };

    let answer = modify(&acme.admin, &request).await.unwrap();

    assert!(answer.outcomes.iter().all(|outcome| outcome.changed));
    let in_order = answer.outcomes.iter().map(|outcome| outcome.customer_id.as_str());
    assert!(in_order.eq(ids.iter().copied()), "the request's order");
    assert_consistent(&world).await;
    assert_eq!(tags_of(&acme.admin, ids[999]).await.len(), 100);
    assert_eq!(acme.admin.get(ids[999]).await.unwrap().etag, answer.outcomes[999].etag);
    // Each statement of a transaction has a number, with which it marks the rows that it writes.
    let statements = "select count(distinct xmin::text), count(distinct cmin::text), count(*) from customer_tags";
    let written: (i64, i64, i64) = sqlx::query_as(statements).fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(written, (1, 10, 100_000));
    let replayed = modify(&acme.admin, &request).await.unwrap();
    assert!(replayed.replayed);
    assert_eq!(replayed.outcomes, answer.outcomes);

    // All or none: the last customer has no room for another tag, and the slices before it leave nothing.
    let before = rows(&world).await;
    acme.admin.tag(&ids[..999], &[], &[hundred[0]]).await.unwrap();
    let some_removed = rows(&world).await;
    assert_ne!(some_removed, before);
    let refused = acme.admin.tag(&ids, &["one more"], &[]).await;
    let refused = assert_refused(refused, Code::FailedPrecondition, "LIMIT_REACHED");
    assert_eq!(metadata(&refused, "field").as_deref(), Some("customer_ids[999]"));
    assert_eq!(rows(&world).await, some_removed);
}
