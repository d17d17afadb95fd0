//! ListTags.

use clientele::{
    domain::values::sort_key::SortKey,
    grpc::pb::{self, ListTagsRequest},
};
use tonic::{Code, Status};

use crate::{
    create_tag::create,
    modify_customer_tags::{catalogue, pair},
    world::{Client, TestAccount, World, assert_refused, bad_fields, customer},
};

async fn page(client: &Client, size: i32, token: &str) -> Result<pb::ListTagsResponse, Status> {
    let request = ListTagsRequest { page_size: size, page_token: token.to_owned() };
    Ok(client.tags().list_tags(request).await?.into_inner())
}

#[tokio::test]
async fn tags_are_sorted_by_name_and_have_counts() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    for name in ["beta", "Alpha", "GAMMA", "Émile", "zulu"] {
        create(&acme.admin, name).await.unwrap();
    }
    acme.admin.tag(&[&ada.id, &bob.id], &["beta"], &[]).await.unwrap();
    acme.admin.tag(&[&bob.id], &["alpha"], &[]).await.unwrap();
    acme.admin.archive(&[&bob.id]).await.unwrap();

    let viewer = acme.member(pb::Role::Viewer).await;
    let listed = catalogue(&viewer).await;
    let counts: Vec<_> = listed.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counts, [("Alpha", 1), ("beta", 2), ("Émile", 0), ("GAMMA", 0), ("zulu", 0)], "archived ones count");
    // The provider counts the customers with its own tags, at every level below.
    let north = acme.child("north").await;
    let eve = north.admin.create(customer("Eve")).await.unwrap();
    acme.admin.tag(&[&eve.id], &["zulu"], &[]).await.unwrap();
    assert_eq!(catalogue(&acme.admin).await[4], ("zulu".to_owned(), 1));
    assert_eq!(catalogue(&north.admin).await, []);
}

#[tokio::test]
async fn pages_show_each_untouched_tag_once_while_others_change() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let mut tags = Vec::new();
    for number in 0..25 {
        tags.push(create(&acme.admin, &format!("tag {number:02}")).await.unwrap());
    }
    let (mut seen, mut token, mut round) = (Vec::new(), String::new(), 0);
    loop {
        let listed = page(&acme.admin, 4, &token).await.unwrap();
        assert!(listed.tags.len() <= 4);
        seen.extend(listed.tags.into_iter().map(|used| used.tag.unwrap().name));
        token = listed.next_page_token;
        if token.is_empty() {
            break;
        }
        create(&acme.admin, &format!("tag {round:02} new")).await.unwrap();
        let renamed = pb::RenameTagRequest {
            tag_id: tags[round].id.clone(),
            name: format!("tag {round:02} moved"),
            ..Default::default()
        };
        acme.admin.tags().rename_tag(renamed).await.unwrap();
        crate::delete_tag::delete(&acme.admin, &tags[24 - round].id).await.unwrap();
        round += 1;
    }
    assert!(round >= 4, "{round}");
    for number in round..25 - round {
        let name = format!("tag {number:02}");
        assert_eq!(seen.iter().filter(|other| **other == name).count(), 1, "{name} in {seen:?}");
    }
    assert!(seen.is_sorted());
}

/// A session of the test's own that checks no foreign keys: with them, many rows take most of a test's time.
async fn unchecked(world: &World) -> sqlx::PgConnection {
    let mut sql = world.sql().await;
    sqlx::raw_sql("set session_replication_role = replica").execute(&mut sql).await.unwrap();
    sql
}

fn uuid(id: &str) -> uuid::Uuid {
    id.parse().unwrap()
}

/// Puts so many new tags of an account on so many new copies of its customer. Returns the copies.
async fn put_on(world: &World, account: &TestAccount, customer: &str, tags: i32, copies: i32) -> Vec<uuid::Uuid> {
    let ids: Vec<_> = world.copies(customer, copies).await.iter().map(|id| uuid(id)).collect();
    let names: Vec<String> = (1..=tags).map(|number| format!("used {number:04}")).collect();
    let keys: Vec<Vec<u8>> = names.iter().map(|name| SortKey::of(name).as_bytes().to_vec()).collect();
    let put_on = "
        with tag as (
            insert into tags (tenant_id, id, account_id, name, name_key, name_sort, created_at)
            select $1, gen_random_uuid(), $2, n, n, key, now() from unnest($4::text[], $5::bytea[]) t (n, key)
            returning id
        )
        insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
        select $1, c.id, $2, t.id from tag t cross join unnest($3::uuid[]) c (id)";
    let (tenant, account) = (uuid(&account.tenant), uuid(&account.account));
    let put_on = sqlx::query(put_on).bind(tenant).bind(account).bind(&ids).bind(names).bind(keys);
    put_on.execute(&mut unchecked(world).await).await.unwrap();
    ids
}

#[tokio::test]
async fn a_page_ends_where_enough_customers_are_counted_and_shows_each_tag_once() {
    let world = World::start().await;
    let (acme, ada, _) = pair(&world).await;
    put_on(&world, &acme, &ada.id, 602, 300).await;
    create(&acme.admin, "without customers").await.unwrap();
    let (mut seen, mut pages, mut token) = (Vec::new(), Vec::new(), String::new());
    loop {
        let listed = page(&acme.admin, 1_000, &token).await.unwrap();
        pages.push(listed.tags.iter().map(|used| used.customer_count).sum::<i32>());
        seen.extend(listed.tags);
        token = listed.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, [99_900, 80_700], "of 333 and of 269 tags");
    let last = seen.pop().unwrap();
    assert_eq!((last.tag.unwrap().name.as_str(), last.customer_count), ("without customers", 0));
    for (number, used) in seen.iter().enumerate() {
        assert_eq!(used.tag.as_ref().unwrap().name, format!("used {:04}", number + 1));
        assert_eq!((used.customer_count, used.more_customers), (300, false));
    }
    assert_eq!(seen.len(), 602);
}

#[tokio::test]
async fn customers_that_the_account_no_longer_sees_are_not_counted_however_many_there_are() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    for (copies, gone, count, more) in
        [(1_000, 0, 1_000, false), (1_003, 0, 1_000, true), (1_003, 5, 998, false), (1_007, 5, 1_000, true)]
    {
        let ids = put_on(&world, &north, &ada.id, 1, copies).await;
        let go =
            "update customers set account_id = $3, ancestors = array[$3, $1] where tenant_id = $1 and id = any($2)";
        let go = sqlx::query(go).bind(uuid(&acme.tenant)).bind(&ids[..gone]).bind(uuid(&south.account));
        go.execute(&mut unchecked(&world).await).await.unwrap();
        let used = page(&north.admin, 10, "").await.unwrap().tags.remove(0);
        assert_eq!(
            (used.customer_count, used.more_customers),
            (count, more),
            "{copies} customers, of which {gone} went"
        );
        crate::delete_tag::delete(&north.admin, &used.tag.unwrap().id).await.unwrap();
    }
}

#[tokio::test]
async fn a_page_token_is_bound_to_its_list_account_and_narrowing() {
    let world = World::start().await;
    let (acme, ada, _) = pair(&world).await;
    let north = acme.child("north").await;
    for name in ["a", "b", "c"] {
        create(&acme.admin, name).await.unwrap();
    }
    let first = page(&acme.admin, 1, "").await.unwrap();
    assert_eq!(
        page(&acme.admin, 2, &first.next_page_token).await.unwrap().tags.len(),
        2,
        "another page size is accepted"
    );
    let narrowed = acme.admin.narrowed_to(&ada.id);
    for (client, token) in [(&north.admin, &first.next_page_token), (&narrowed, &first.next_page_token)] {
        assert_refused(page(client, 1, token).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    assert_refused(page(&acme.admin, 1, "x").await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let refused = assert_refused(page(&acme.admin, -1, "").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["page_size"]);
    let branches = pb::ListBranchesRequest { page_size: 1, page_token: first.next_page_token, ..Default::default() };
    let other_list = acme.admin.accounts().list_branches(branches).await;
    assert_refused(other_list, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
}

#[tokio::test]
async fn a_narrowed_call_counts_only_its_customer() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    acme.admin.tag(&[&ada.id, &bob.id], &["both"], &[]).await.unwrap();
    acme.admin.tag(&[&bob.id], &["other"], &[]).await.unwrap();
    let listed = catalogue(&acme.admin.narrowed_to(&ada.id)).await;
    assert_eq!(listed, [("both".to_owned(), 1), ("other".to_owned(), 0)]);
}
