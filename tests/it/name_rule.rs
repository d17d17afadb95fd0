//! UpdateAccount of the tenant's rule on names: what is in its way, and which names it holds and frees.

use clientele::grpc::pb::{self, NameUniqueness as Rule, UpdateAccountRequest as Updating};
use tonic::{Code, Status};

use crate::{
    rows::rows,
    world::{Client, TestAccount, World, assert_refused, bad_fields, customer, mask, reason, request_id, until},
};

/// A change of the rule of the tenant with this provider.
pub fn ruling(provider: &str, rule: Rule) -> Updating {
    let account = pb::Account { id: provider.to_owned(), name_uniqueness: rule.into(), ..Default::default() };
    Updating { account: Some(account), update_mask: Some(mask(&["name_uniqueness"])), ..Default::default() }
}

async fn call(client: &Client, request: &Updating) -> Result<pb::UpdateAccountResponse, Status> {
    Ok(client.accounts().update_account(request.clone()).await?.into_inner())
}

/// Changes the tenant's rule on names.
pub async fn set_rule(client: &Client, provider: &str, rule: Rule) -> Result<pb::UpdateAccountResponse, Status> {
    call(client, &ruling(provider, rule)).await
}

/// A tenant with two accounts below the provider.
async fn fixture(world: &World, rule: Rule) -> (TestAccount, TestAccount, TestAccount) {
    let acme = world.tenant_with("acme", rule, pb::AccountPolicies::default()).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    (acme, north, south)
}

/// All conflicts of the new rule, by pages of this size: the customers' names and owners, in order.
async fn conflicts(acme: &TestAccount, rule: Rule, size: i32) -> Vec<(String, String)> {
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let request =
            Updating { validate_only: true, page_size: size, page_token: token, ..ruling(&acme.account, rule) };
        let answer = call(&acme.admin, &request).await.unwrap();
        assert!(answer.name_conflicts.len() <= usize::try_from(size).unwrap());
        found.extend(answer.name_conflicts.into_iter().map(|conflict| (conflict.name, conflict.account_id)));
        token = answer.next_page_token;
        if token.is_empty() {
            return found;
        }
    }
}

#[tokio::test]
async fn a_stricter_rule_lists_every_conflict_by_pages_and_changes_nothing() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, Rule::None).await;
    for (owner, name) in [
        (&north, "Ada"),
        (&north, "ADA"),
        (&south, "ada"),
        (&north, "Bob"),
        (&south, "bob"),
        (&acme, "Only"),
        (&south, "O’Brien"),
        (&south, "O'Brien"),
    ] {
        owner.admin.create(customer(name)).await.unwrap();
    }
    let archived = acme.admin.create(customer("Bob")).await.unwrap();
    acme.admin.archive(&[&archived.id]).await.unwrap();
    let globex = world.tenant("globex").await;
    globex.admin.create(customer("Only")).await.unwrap();
    let before = rows(&world).await;

    let by = |names: &[(&str, &TestAccount)]| {
        let mut named: Vec<_> = names.iter().map(|(name, owner)| ((*name).to_owned(), owner.account.clone())).collect();
        named.sort_by_key(|(name, owner)| (name.to_lowercase(), owner.clone()));
        named
    };
    let sorted = |mut found: Vec<(String, String)>| {
        found.sort_by_key(|(name, owner)| (name.to_lowercase(), owner.clone()));
        found
    };
    let in_account = by(&[("Ada", &north), ("ADA", &north), ("O’Brien", &south), ("O'Brien", &south)]);
    let in_tenant = by(&[
        ("Ada", &north),
        ("ADA", &north),
        ("ada", &south),
        ("Bob", &north),
        ("bob", &south),
        ("Bob", &acme),
        ("O’Brien", &south),
        ("O'Brien", &south),
    ]);
    for size in [1, 2, 3, 100] {
        let found = conflicts(&acme, Rule::Tenant, size).await;
        let keys: Vec<String> = found.iter().map(|(name, _)| name.to_lowercase().replace('’', "'")).collect();
        assert!(keys.is_sorted(), "those of one name are neighbours: {keys:?}");
        assert_eq!(sorted(found), sorted(in_tenant.clone()), "{size}");
        assert_eq!(sorted(conflicts(&acme, Rule::Account, size).await), sorted(in_account.clone()), "{size}");
    }
    for rule in [Rule::Account, Rule::Tenant] {
        let refused = set_rule(&acme.admin, &acme.account, rule).await;
        assert_refused(refused, Code::FailedPrecondition, "NAME_CONFLICTS");
    }
    assert_eq!(rows(&world).await, before);
    assert_eq!(conflicts(&globex, Rule::Tenant, 10).await, []);
}

#[tokio::test]
async fn a_stricter_rule_holds_every_name_and_a_looser_one_frees_it() {
    let world = World::start().await;
    let (acme, north, south) = fixture(&world, Rule::None).await;
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    south.admin.create(customer("Eve")).await.unwrap();
    let taken = async |owner: &TestAccount, name: &str| match owner.admin.create(customer(name)).await {
        Ok(_) => false,
        Err(refused) => {
            assert_eq!(reason(&refused), "NAME_TAKEN");
            true
        }
    };
    let answer = set_rule(&acme.admin, &acme.account, Rule::Tenant).await.unwrap();
    assert_eq!(answer.account.unwrap().name_uniqueness(), Rule::Tenant);
    assert!(taken(&south, "ADA").await && taken(&north, "ada").await, "at once on this server");
    let renamed = north.admin.update(pb::Customer { name: "eve".to_owned(), ..ada.clone() }, &["name"]).await;
    assert_refused(renamed, Code::AlreadyExists, "NAME_TAKEN");
    assert_eq!(
        north
            .admin
            .accounts()
            .get_account(pb::GetAccountRequest::default())
            .await
            .unwrap()
            .into_inner()
            .account
            .unwrap()
            .name_uniqueness(),
        Rule::Tenant
    );

    set_rule(&acme.admin, &acme.account, Rule::Account).await.unwrap();
    assert!(!taken(&south, "Ada").await && taken(&north, "ada").await);
    set_rule(&acme.admin, &acme.account, Rule::None).await.unwrap();
    assert!(!taken(&north, "ada").await);
    let held: i64 = sqlx::query_scalar("select count(*) from customers where name_scope is not null")
        .fetch_one(&mut world.sql().await)
        .await
        .unwrap();
    assert_eq!(held, 0, "every key is free");
    let before = rows(&world).await;
    let same = set_rule(&acme.admin, &acme.account, Rule::None).await.unwrap();
    assert!(!same.replayed);
    assert_eq!(rows(&world).await, before, "the same rule changes nothing");
}

#[tokio::test]
async fn a_tenant_of_more_customers_than_a_batch_is_read_and_written_whole() {
    let world = World::start().await;
    let (acme, north, _) = fixture(&world, Rule::None).await;
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    let ids = world.copies(&ada.id, 5_100).await;
    let rename = "update customers set name = 'Copy ' || n.nth, name_key = 'copy ' || n.nth
                  from (select id, row_number() over (order by id) as nth from customers where name = 'Ada') n
                  where customers.id = n.id and customers.id <> $1::uuid";
    sqlx::query(rename).bind(&ada.id).execute(&mut world.sql().await).await.unwrap();
    assert_eq!(conflicts(&acme, Rule::Tenant, 1_000).await, []);
    // In the second batch of names.
    let last = "update customers set name_key = 'copy 999', name = 'COPY 999' where name_key = 'copy 998'";
    sqlx::query(last).execute(&mut world.sql().await).await.unwrap();
    assert_eq!(conflicts(&acme, Rule::Tenant, 1_000).await.len(), 2);
    // Two that are neighbours across the end of the first batch: one of them is looked at with either.
    let across = "with names as (
        select id, row_number() over (order by name_key, account_id, id) as nth from customers
    )
    update customers c set name_key = o.name_key
    from names n, names m join customers o on o.id = m.id
    where c.id = n.id and n.nth = m.nth + 1 and m.nth = any($1)";
    for at in 4_996..=5_001_i64 {
        let mut sql = world.sql().await;
        let mut changed = sqlx::Connection::begin(&mut sql).await.unwrap();
        sqlx::query("create table kept as select id, name_key from customers").execute(&mut *changed).await.unwrap();
        sqlx::query(across).bind(vec![at]).execute(&mut *changed).await.unwrap();
        changed.commit().await.unwrap();
        assert_eq!(conflicts(&acme, Rule::Tenant, 1_000).await.len(), 4, "{at}");
        assert_eq!(conflicts(&acme, Rule::Account, 3).await.len(), 4, "{at}");
        let undo = "update customers c set name_key = k.name_key from kept k where k.id = c.id; drop table kept";
        sqlx::raw_sql(undo).execute(&mut world.sql().await).await.unwrap();
    }
    let refused = set_rule(&acme.admin, &acme.account, Rule::Account).await;
    assert_refused(refused, Code::FailedPrecondition, "NAME_CONFLICTS");
    sqlx::query("update customers set name_key = 'copy 998' where name = 'COPY 999'")
        .execute(&mut world.sql().await)
        .await
        .unwrap();
    set_rule(&acme.admin, &acme.account, Rule::Account).await.unwrap();
    let held: i64 = sqlx::query_scalar("select count(*) from customers where name_scope = account_id")
        .fetch_one(&mut world.sql().await)
        .await
        .unwrap();
    assert_eq!(usize::try_from(held).unwrap(), ids.len() + 1);
}

#[tokio::test]
async fn only_the_providers_admins_change_the_rule_and_only_where_it_is() {
    let world = World::start().await;
    let (acme, north, _) = fixture(&world, Rule::None).await;
    let before = rows(&world).await;
    for (client, account) in [(&acme.admin, &north), (&north.admin, &north)] {
        let refused = set_rule(client, &account.account, Rule::Account).await;
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["update_mask"]);
    }
    let refused = set_rule(&north.admin, &acme.account, Rule::Account).await;
    assert_refused(refused, Code::NotFound, "ACCOUNT_NOT_FOUND");
    let unset = set_rule(&acme.admin, &acme.account, Rule::Unspecified).await;
    let unset = assert_refused(unset, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&unset), ["account.name_uniqueness"]);
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn a_rule_is_validated_repeated_and_its_tokens_are_bound_to_it() {
    let world = World::start().await;
    let (acme, north, _) = fixture(&world, Rule::None).await;
    for name in ["Ada", "ada", "Bob", "bob"] {
        north.admin.create(customer(name)).await.unwrap();
    }
    let first = Updating { validate_only: true, page_size: 1, ..ruling(&acme.account, Rule::Tenant) };
    let token = call(&acme.admin, &first).await.unwrap().next_page_token;
    let strange = Updating { page_token: token.clone(), ..first.clone() };
    let strange = Updating { account: ruling(&acme.account, Rule::Account).account, ..strange };
    assert_refused(call(&acme.admin, &strange).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let negative = Updating { page_size: -1, ..first };
    assert_refused(call(&acme.admin, &negative).await, Code::InvalidArgument, "INVALID_FIELDS");

    sqlx::query("update customers set name_key = name_key || id").execute(&mut world.sql().await).await.unwrap();
    let before = rows(&world).await;
    let only = Updating { validate_only: true, ..ruling(&acme.account, Rule::Tenant) };
    let answer = call(&acme.admin, &only).await.unwrap();
    assert_eq!((answer.name_conflicts.len(), answer.account.unwrap().name_uniqueness()), (0, Rule::Tenant));
    assert_eq!(rows(&world).await, before);

    let request = Updating { request_id: request_id(), ..ruling(&acme.account, Rule::Tenant) };
    let done = call(&acme.admin, &request).await.unwrap();
    set_rule(&acme.admin, &acme.account, Rule::None).await.unwrap();
    let again = call(&acme.admin, &request).await.unwrap();
    assert_eq!((again.replayed, again.account), (true, done.account), "as it was then");
}

#[tokio::test]
async fn another_server_follows_the_rule_within_two_seconds_and_never_breaks_it() {
    let world = World::start().await;
    let (acme, north, _) = fixture(&world, Rule::None).await;
    north.add("nora", pb::Role::Admin).await;
    let replica = World::start_with(world.database.clone(), |_| ()).await;
    let nora = replica.subject("nora").acting_in(&north.account);
    let rule = async || {
        let read = nora.accounts().get_account(pb::GetAccountRequest::default()).await.unwrap().into_inner();
        read.account.unwrap().name_uniqueness()
    };
    nora.create(customer("Ada")).await.unwrap();
    set_rule(&acme.admin, &acme.account, Rule::Tenant).await.unwrap();
    // Its cache still has the old rule; the statement names the revision that it was decided by.
    assert_refused(nora.create(customer("Ada")).await, Code::AlreadyExists, "NAME_TAKEN");
    until("the other server shows the rule", async || rule().await == Rule::Tenant).await;
}
