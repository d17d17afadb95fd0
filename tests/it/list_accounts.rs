//! ListAccounts.

use clientele::grpc::pb;
use prost::Message as _;
use tonic::{Code, Status};

use crate::{
    access_look_ups::{pages, prepare},
    world::{Client, World, assert_refused, bad_fields, requiring},
};

async fn page(client: &Client, all: bool, size: i32, token: &str) -> Result<pb::ListAccountsResponse, Status> {
    let page_token = token.to_owned();
    let request =
        pb::ListAccountsRequest { include_descendants: all, page_size: size, page_token, ..Default::default() };
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

/// The names that a search for this text lists, by pages of this size.
async fn named(client: &Client, all: bool, name: &str, size: i32) -> Vec<String> {
    let (mut names, mut token) = (Vec::new(), String::new());
    loop {
        let request = pb::ListAccountsRequest {
            include_descendants: all,
            name: name.to_owned(),
            page_size: size,
            page_token: token,
            ..Default::default()
        };
        let listed = client.accounts().list_accounts(request).await.unwrap().into_inner();
        assert!(listed.accounts.len() <= usize::try_from(size).unwrap());
        names.extend(listed.accounts.into_iter().map(|account| account.name));
        token = listed.next_page_token;
        if token.is_empty() {
            return names;
        }
    }
}

#[tokio::test]
async fn accounts_are_found_by_a_part_of_their_name_as_searches_fold_it() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    globex.child("Łódź of another tenant").await;
    let north = acme.child("Łódź Cloud").await;
    for (above, name) in [(&acme, "O’Brien"), (&north, "Straße 7"), (&north, "LODZ Süd"), (&acme, "100% Cloud_IT")]
    {
        above.child(name).await;
    }
    for size in [1, 2, 50] {
        for (all, name, wanted) in [
            (false, "lodz", vec!["Łódź Cloud"]),
            (true, "lodz", vec!["Łódź Cloud", "LODZ Süd"]),
            (true, "CLOUD", vec!["Łódź Cloud", "100% Cloud_IT"]),
            (true, "strasse", vec!["Straße 7"]),
            (true, "obrien", vec!["O’Brien"]),
            (true, "0%", vec!["100% Cloud_IT"]),
            (true, "_", vec!["100% Cloud_IT"]),
            (true, "nowhere", vec![]),
            (false, "", vec!["Łódź Cloud", "O’Brien", "100% Cloud_IT"]),
        ] {
            assert_eq!(named(&acme.admin, all, name, size).await, wanted, "{name:?} {size}");
        }
        assert_eq!(named(&north.admin, true, "lodz", size).await, ["LODZ Süd"], "not the acting account itself");
    }
    let long = pb::ListAccountsRequest { name: "x".repeat(121), ..Default::default() };
    let refused = acme.admin.accounts().list_accounts(long).await;
    assert_eq!(bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS")), ["name"]);
    let one = pb::ListAccountsRequest { name: "cloud".to_owned(), page_size: 1, ..Default::default() };
    let token = acme.admin.accounts().list_accounts(one.clone()).await.unwrap().into_inner().next_page_token;
    let other = pb::ListAccountsRequest { name: "o".to_owned(), page_token: token.clone(), ..one.clone() };
    let refused = acme.admin.accounts().list_accounts(other).await;
    assert_refused(refused, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let folded = pb::ListAccountsRequest { name: "CLOUD".to_owned(), page_token: token, ..one };
    acme.admin.accounts().list_accounts(folded).await.expect("the same text in another case");
}

#[tokio::test]
async fn a_page_by_name_looks_at_ten_thousand_accounts() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let last = acme.child("needle").await;
    sqlx::raw_sql(
        "insert into accounts (tenant_id, id, parent_id, ancestors, name, policies, created_at)
         select tenant_id, n.id, parent_id, array[n.id, parent_id], 'hay', policies, created_at
         from accounts a,
              lateral (
                  select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid as id, a.id as of
                  from generate_series(1, 10100) n
              ) n
         where parent_id is not null",
    )
    .execute(&mut world.sql().await)
    .await
    .unwrap();
    for all in [false, true] {
        let request =
            pb::ListAccountsRequest { include_descendants: all, name: "needle".to_owned(), ..Default::default() };
        let first = acme.admin.accounts().list_accounts(request.clone()).await.unwrap().into_inner();
        assert!(first.accounts.is_empty() && !first.next_page_token.is_empty(), "it goes on");
        let request = pb::ListAccountsRequest { page_token: first.next_page_token, ..request };
        let second = acme.admin.accounts().list_accounts(request).await.unwrap().into_inner();
        assert_eq!((second.accounts[0].id.as_str(), second.next_page_token.as_str()), (last.account.as_str(), ""));
        assert_eq!(named(&acme.admin, all, "hay", 1_000).await.len(), 10_100);
    }
}

#[tokio::test]
async fn counts_are_exact_up_to_a_hundred_and_only_there_if_asked_for() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let deep = north.child("deep").await;
    for account in [&acme, &north, &deep] {
        account.admin.create(crate::world::customer("Ada")).await.unwrap();
    }
    let ada = south.admin.create(crate::world::customer("Ada")).await.unwrap();
    let counts = async || {
        let request = pb::ListAccountsRequest { include_descendants: true, include_counts: true, ..Default::default() };
        let listed = acme.admin.accounts().list_accounts(request).await.unwrap().into_inner().accounts;
        let counts = listed.into_iter().map(|account| (account.name, account.counts.unwrap()));
        counts.collect::<std::collections::BTreeMap<_, _>>()
    };
    let of = |children, customers| pb::AccountCounts {
        child_count: children,
        customer_count: customers,
        ..Default::default()
    };
    let small = counts().await;
    assert_eq!((small["north"], small["south"], small["deep"]), (of(1, 1), of(0, 1), of(0, 1)));
    world.copies(&ada.id, 99).await;
    assert_eq!(counts().await["south"], of(0, 100));
    world.copies(&ada.id, 50).await;
    assert_eq!(counts().await["south"], pb::AccountCounts { more_customers: true, ..of(0, 100) });
    let plain = page(&acme.admin, true, 0, "").await.unwrap().accounts;
    assert!(plain.iter().all(|account| account.counts.is_none()));
}

/// Parts of the texts of the statements that look for what is below an account. Their parameters: the tenant, the account, the
/// last id, the number of accounts.
const BELOW: [&str; 2] = ["select b.id from below b where", "b.name as \"name!\" from below b"];

#[tokio::test]
async fn a_list_reads_what_is_below_the_account_and_not_its_tenant() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let leaf = north.child("leaf").await;
    let mut sql = world.sql().await;
    sqlx::query(
        "insert into accounts (tenant_id, id, parent_id, ancestors, name, policies, created_at)
         select a.tenant_id, n.id, a.id, array_prepend(n.id, a.ancestors), 'other', a.policies, now()
         from accounts a, (select gen_random_uuid() as id from generate_series(1, 20000)) n
         where a.id = $1::uuid",
    )
    .bind(&acme.account)
    .execute(&mut sql)
    .await
    .unwrap();
    let (tenant, nil) = (&acme.tenant, uuid::Uuid::nil());
    for statistics in ["", "analyze accounts"] {
        for mode in ["force_generic_plan", "force_custom_plan"] {
            let set = format!("{statistics}; set plan_cache_mode = {mode}");
            sqlx::raw_sql(sqlx::AssertSqlSafe(set)).execute(&mut sql).await.unwrap();
            for (at, statement) in BELOW.iter().enumerate() {
                let name = format!("below{at}");
                prepare(&mut sql, &name, statement).await;
                for account in [&north.account, &leaf.account] {
                    let read = pages(&mut sql, &format!("{name} ('{tenant}', '{account}', '{nil}', 51)")).await;
                    assert!(read < 60, "{read} pages, {mode}, {statistics}: {statement}");
                }
                let done = format!("deallocate {name}");
                sqlx::raw_sql(sqlx::AssertSqlSafe(done)).execute(&mut sql).await.unwrap();
            }
        }
    }
    assert_eq!(ids(&leaf.admin, true).await, [""; 0]);
    assert_eq!(ids(&north.admin, true).await, [leaf.account]);
}
