//! ListTags.

use clientele::grpc::pb::{self, ListTagsRequest};
use tonic::{Code, Status};

use crate::{
    create_tag::create,
    modify_customer_tags::{catalogue, pair},
    world::{Client, World, assert_refused, bad_fields},
};

async fn page(client: &Client, size: i32, token: &str) -> Result<pb::ListTagsResponse, Status> {
    let request = ListTagsRequest { page_size: size, page_token: token.to_owned() };
    Ok(client.tags().list_tags(request).await?.into_inner())
}

#[tokio::test]
async fn tags_are_sorted_by_folded_name_and_have_counts() {
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
    assert_eq!(counts, [("Alpha", 1), ("beta", 2), ("GAMMA", 0), ("zulu", 0), ("Émile", 0)], "archived ones count");
    // The provider counts the customers with its own tags, at every level below.
    let north = acme.child("north").await;
    let eve = north.admin.create(crate::world::customer("Eve")).await.unwrap();
    acme.admin.tag(&[&eve.id], &["zulu"], &[]).await.unwrap();
    assert_eq!(catalogue(&acme.admin).await[3], ("zulu".to_owned(), 1));
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
    let branches = pb::ListBranchesRequest { page_size: 1, page_token: first.next_page_token };
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
