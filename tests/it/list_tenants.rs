//! ListTenants.

use clientele::grpc::pb;
use tonic::{Code, Status};

use crate::world::{World, assert_refused, bad_fields};

async fn page(world: &World, page_size: i32, token: &str) -> Result<pb::ListTenantsResponse, Status> {
    let request = pb::ListTenantsRequest { page_size, page_token: token.to_owned() };
    Ok(world.operator().accounts().list_tenants(request).await?.into_inner())
}

#[tokio::test]
async fn tenants_are_listed_oldest_first() {
    let world = World::start().await;
    assert_eq!(page(&world, 0, "").await.unwrap(), pb::ListTenantsResponse::default());
    let mut made = Vec::new();
    for (name, rule) in [("zeta", pb::NameUniqueness::Tenant), ("acme", pb::NameUniqueness::None)] {
        made.push(world.tenant_with(name, rule, pb::AccountPolicies::default()).await.tenant);
    }
    let listed = page(&world, 0, "").await.unwrap();
    assert_eq!(listed.tenants.iter().map(|tenant| tenant.id.clone()).collect::<Vec<_>>(), made);
    let names_and_rules: Vec<_> =
        listed.tenants.iter().map(|tenant| (tenant.name.as_str(), tenant.name_uniqueness())).collect();
    assert_eq!(names_and_rules, [("zeta", pb::NameUniqueness::Tenant), ("acme", pb::NameUniqueness::None)]);
    assert!(listed.tenants.iter().all(|tenant| tenant.create_time.is_some()));
    assert_eq!(listed.next_page_token, "");
}

#[tokio::test]
async fn pages_show_each_tenant_once_while_others_are_created() {
    let world = World::start().await;
    let mut wanted = Vec::new();
    for number in 0..7 {
        wanted.push(world.tenant(&format!("t{number}")).await.tenant);
    }
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let listed = page(&world, 3, &token).await.unwrap();
        assert!(listed.tenants.len() <= 3);
        seen.extend(listed.tenants.into_iter().map(|tenant| tenant.id));
        token = listed.next_page_token;
        if token.is_empty() {
            break;
        }
        if wanted.len() < 9 {
            wanted.push(world.tenant("late").await.tenant);
        }
    }
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn the_default_page_size_is_50_the_maximum_1000_and_a_negative_one_is_refused() {
    let world = World::start().await;
    sqlx::raw_sql(
        "insert into tenants (tenant_id, name, name_uniqueness, created_at)
         select gen_random_uuid(), 'many', 'NONE', now() from generate_series(1, 1050)",
    )
    .execute(&mut world.sql().await)
    .await
    .unwrap();
    assert_eq!(page(&world, 0, "").await.unwrap().tenants.len(), 50);
    let first = page(&world, i32::MAX, "").await.unwrap();
    assert_eq!(first.tenants.len(), 1_000);
    let last = page(&world, 1_001, &first.next_page_token).await.unwrap();
    assert_eq!((last.tenants.len(), last.next_page_token.as_str()), (50, ""));
    let whole = page(&world, 50, &first.next_page_token).await.unwrap();
    assert_eq!(whole, last, "a full last page has no token");
    let refused = assert_refused(page(&world, -1, "").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["page_size"]);
}

#[tokio::test]
async fn a_token_of_another_list_is_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    world.tenant("globex").await;
    let good = page(&world, 1, "").await.unwrap().next_page_token;
    assert_eq!(page(&world, 50, &good).await.unwrap().tenants.len(), 1, "the size may change from page to page");

    acme.child("north").await;
    acme.child("south").await;
    let request = pb::ListAccountsRequest { page_size: 1, ..Default::default() };
    let of_accounts = acme.admin.accounts().list_accounts(request).await.unwrap().into_inner().next_page_token;
    assert!(!of_accounts.is_empty());
    let cut = &good[..good.len() - 1];
    for token in [of_accounts.as_str(), cut, "x", "%", &"A".repeat(5_000)] {
        assert_refused(page(&world, 1, token).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
}
