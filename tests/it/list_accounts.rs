//! ListAccounts.

use clientele::grpc::pb;
use prost::Message as _;
use tonic::{Code, Status};

use crate::world::{Client, World, assert_refused, bad_fields, requiring};

async fn page(client: &Client, all: bool, size: i32, token: &str) -> Result<pb::ListAccountsResponse, Status> {
    let request = pb::ListAccountsRequest { include_descendants: all, page_size: size, page_token: token.to_owned() };
    Ok(client.accounts().list_accounts(request).await?.into_inner())
}

async fn ids(client: &Client, all: bool) -> Vec<String> {
    let listed = page(client, all, 1_000, "").await.unwrap();
    assert_eq!(listed.next_page_token, "");
    listed.accounts.into_iter().map(|account| account.id).collect()
}

#[tokio::test]
async fn children_are_listed_and_on_request_all_below_the_oldest_first() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    globex.child("of another tenant").await;
    let north = acme.child("north").await;
    let south = acme.child("south").await;
    let deep = north.child("deep").await;
    let deeper = deep.child("deeper").await;
    let east = acme.child("east").await;
    let id = |seats: &[&crate::world::TestAccount]| {
        seats.iter().map(|test_account| test_account.account.clone()).collect::<Vec<_>>()
    };

    assert_eq!(ids(&acme.admin, false).await, id(&[&north, &south, &east]));
    assert_eq!(ids(&acme.admin, true).await, id(&[&north, &south, &deep, &deeper, &east]));
    assert_eq!(ids(&north.admin, false).await, id(&[&deep]));
    assert_eq!(ids(&north.admin, true).await, id(&[&deep, &deeper]));
    assert_eq!(ids(&deeper.admin, true).await, id(&[]), "the acting account is not below itself");

    let asked = pb::GetAccountRequest { account_id: deep.account.clone() };
    let read = acme.admin.accounts().get_account(asked).await.unwrap().into_inner().account.unwrap();
    assert_eq!(page(&acme.admin, true, 0, "").await.unwrap().accounts[2], read, "in full");
}

#[tokio::test]
async fn pages_show_each_account_once_while_others_are_created() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let mut wanted = vec![north.account.clone()];
    for number in 0..6 {
        wanted.push(if number % 2 == 0 { &acme } else { &north }.child("more").await.account);
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let listed = page(&acme.admin, true, 2, &token).await.unwrap();
        assert!(listed.accounts.len() <= 2);
        seen.extend(listed.accounts.into_iter().map(|account| account.id));
        token = listed.next_page_token;
        if token.is_empty() {
            break;
        }
        if wanted.len() < 10 {
            wanted.push(north.child("late").await.account);
        }
    }
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn a_page_ends_before_it_exceeds_the_clients_limit() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let paths: Vec<String> = (0..50).map(|number| format!("labels.{number:0>63}")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    acme.child_with("large", Some(requiring(&paths, &paths))).await;
    sqlx::raw_sql(
        "insert into accounts (tenant_id, id, parent_id, ancestors, name, policies, created_at)
         select tenant_id, n.id, parent_id, array[n.id, parent_id], name, policies, created_at
         from accounts a, lateral (select gen_random_uuid() as id, a.id as of from generate_series(1, 799)) n
         where parent_id is not null",
    )
    .execute(&mut world.sql().await)
    .await
    .unwrap();
    let (mut seen, mut token, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let listed = page(&acme.admin, false, 1_000, &token).await.unwrap();
        assert!(listed.encoded_len() <= 2 * 1024 * 1024 + 1024 && !listed.accounts.is_empty());
        pages += 1;
        seen.extend(listed.accounts.into_iter().map(|account| account.id));
        token = listed.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert!(pages >= 3, "{pages}");
    assert_eq!(seen.len(), 800);
    assert!(seen.is_sorted_by(|one, next| one < next), "each once, in order");
}

#[tokio::test]
async fn a_token_is_bound_to_its_account_and_query() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let north = acme.child("north").await;
    for test_account in [&acme, &north, &globex, &acme, &north, &globex] {
        test_account.child("below").await;
    }
    let token = page(&acme.admin, false, 1, "").await.unwrap().next_page_token;
    assert!(!token.contains(&acme.account) && !token.is_empty());
    page(&acme.member(pb::Role::Viewer).await, false, 2, &token)
        .await
        .expect("another caller in the same account may continue");
    for (client, all, token) in [
        (&acme.admin, true, token.as_str()),
        (&north.admin, false, &token),
        (&globex.admin, false, &token),
        (&acme.admin, false, "x"),
        (&acme.admin, false, &format!("{token}A")),
    ] {
        assert_refused(page(client, all, 1, token).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    let refused = assert_refused(page(&acme.admin, false, -1, &token).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["page_size"]);
}
