//! ListBranches.

use clientele::grpc::pb::{self, ListBranchesRequest};
use tonic::{Code, Status};

use crate::{
    create_branch::branch,
    update_branch::update,
    world::{Client, World, assert_refused, bad_fields},
};

async fn page(client: &Client, size: i32, token: &str) -> Result<pb::ListBranchesResponse, Status> {
    let request = ListBranchesRequest { page_size: size, page_token: token.to_owned(), ..Default::default() };
    Ok(client.accounts().list_branches(request).await?.into_inner())
}

/// The names of the acting account's branches.
pub async fn names(client: &Client) -> Vec<String> {
    page(client, 1_000, "").await.unwrap().branches.into_iter().map(|branch| branch.name).collect()
}

#[tokio::test]
async fn branches_of_the_acting_account_are_sorted_by_name() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    for name in ["venlo", "Breda", "ZWOLLE", "Ede"] {
        branch(&acme.admin, name, false).await.unwrap();
    }
    branch(&north.admin, "Arnhem", true).await.unwrap();
    assert_eq!(names(&acme.member(pb::Role::Viewer).await).await, ["Breda", "Ede", "venlo", "ZWOLLE"]);
    assert_eq!(names(&acme.admin.acting_in(&north.account)).await, ["Arnhem"]);
}

#[tokio::test]
async fn pages_show_each_untouched_branch_once_while_others_are_created_and_renamed() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let mut made = Vec::new();
    for number in 0..12 {
        made.push(branch(&acme.admin, &format!("b {number:02}"), false).await.unwrap());
    }
    let (mut seen, mut token, mut round) = (Vec::new(), String::new(), 0);
    loop {
        let listed = page(&acme.admin, 3, &token).await.unwrap();
        assert!(listed.branches.len() <= 3);
        seen.extend(listed.branches.into_iter().map(|branch| branch.name));
        token = listed.next_page_token;
        if token.is_empty() {
            break;
        }
        branch(&acme.admin, &format!("b {round:02} new"), false).await.unwrap();
        let moved = pb::Branch { name: format!("b {round:02} moved"), ..made[round].clone() };
        update(&acme.admin, &moved, &["name"]).await.unwrap();
        round += 1;
    }
    assert!(round >= 3, "{round}");
    for number in round..12 {
        let name = format!("b {number:02}");
        assert_eq!(seen.iter().filter(|other| **other == name).count(), 1, "{name} in {seen:?}");
    }
}

#[tokio::test]
async fn a_page_token_is_bound_to_its_list_and_account() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    for name in ["a", "b"] {
        branch(&acme.admin, name, false).await.unwrap();
    }
    let token = page(&acme.admin, 1, "").await.unwrap().next_page_token;
    assert_refused(page(&north.admin, 1, &token).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    assert_refused(page(&acme.admin, 1, "x").await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let accounts = pb::ListAccountsRequest { page_token: token, ..Default::default() };
    let other_list = acme.admin.accounts().list_accounts(accounts).await;
    assert_refused(other_list, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let refused = assert_refused(page(&acme.admin, -1, "").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["page_size"]);
}

#[tokio::test]
async fn a_part_of_the_name_selects_branches_and_binds_the_token() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for name in ["Köln Nord", "KOLN-Süd", "Bonn", "Nordkoln"] {
        branch(&acme.admin, name, false).await.unwrap();
    }
    branch(&acme.child("north").await.admin, "Köln", false).await.unwrap();
    let named = async |name: &str, page_size: i32| {
        let (mut found, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = ListBranchesRequest { name: name.to_owned(), page_size, page_token };
            let listed = acme.admin.accounts().list_branches(request).await.unwrap().into_inner();
            assert!(page_size == 0 || listed.branches.len() <= usize::try_from(page_size).unwrap());
            found.extend(listed.branches.into_iter().map(|branch| branch.name));
            page_token = listed.next_page_token;
            if page_token.is_empty() {
                return found;
            }
        }
    };
    for page_size in [0, 1, 2, 3] {
        assert_eq!(named("koln", page_size).await, ["Köln Nord", "KOLN-Süd", "Nordkoln"], "{page_size}");
        assert_eq!(named("NORD", page_size).await, ["Köln Nord", "Nordkoln"], "{page_size}");
        assert_eq!(named("Aachen", page_size).await, [""; 0], "{page_size}");
    }
    let first = ListBranchesRequest { name: "koln".to_owned(), page_size: 1, ..Default::default() };
    let token = acme.admin.accounts().list_branches(first).await.unwrap().into_inner().next_page_token;
    assert_refused(page(&acme.admin, 1, &token).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let long = ListBranchesRequest { name: "x".repeat(121), ..Default::default() };
    let refused = acme.admin.accounts().list_branches(long).await;
    assert_eq!(bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS")), ["name"]);
}
