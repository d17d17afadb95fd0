//! Every reason of the contract, caused through a server, with the code that its comment names.

use std::{collections::BTreeMap, num::NonZeroU32, time::Duration};

use clientele::{
    config::{Jwks, RateLimit},
    grpc::{money::Money, pb},
};
use sqlx::Connection as _;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use crate::{
    billing::{
        activate, archive_plan, assign, chargeable, create_feature, create_plan, eur, feature, rate_plan, set_limit,
        telecom, update_feature, with_limit,
    },
    field_paths,
    grpc_web::with_grpc_web,
    invitations::{accept, execute, invite, invited, inviting, revoke, token_of, with_email},
    messages::{NO_MESSAGE, send, until_ready},
    payment_methods::{add, adding, card, set_default},
    protos, raw,
    world::{
        Client, SERVICE, TestAccount, World, customer, database, manual_approval, mask, principal, reason,
        repeat_at_once, request_id, requiring, unknown_id, until, wait_for_locks,
    },
};

/// Only the end of the process causes it: a unit test covers it.
const NOT_HERE: [&str; 1] = ["SHUTTING_DOWN"];

/// The refusals that occurred, by reason.
#[derive(Default)]
struct Met(BTreeMap<String, Vec<Status>>);

impl Met {
    fn note<T: std::fmt::Debug>(&mut self, refused: Result<T, Status>) {
        let status = refused.unwrap_err();
        self.0.entry(reason(&status)).or_default().push(status);
    }
}

#[tokio::test]
async fn every_reason_can_occur_and_has_the_code_of_its_comment() {
    let mut met = Met::default();
    let world = World::start().await;
    callers(&world, &mut met).await;
    messages(&world, &mut met).await;
    Box::pin(customers(&world, &mut met)).await;
    Box::pin(billed(&world, &mut met)).await;
    Box::pin(waiting(&mut met)).await;
    too_often(&mut met).await;
    half_sent(&mut met).await;
    of_another_page(&mut met).await;
    issuer_away(&mut met).await;
    broken(&mut met).await;

    for (reason, comment) in protos::reasons() {
        if NOT_HERE.contains(&reason.as_str()) {
            continue;
        }
        let statuses = met.0.remove(&reason).unwrap_or_else(|| panic!("{reason} did not occur"));
        for status in statuses {
            let code = format!("{:?}", status.code()).to_uppercase();
            let named = comment.split(':').next().unwrap().replace('_', "");
            assert_eq!(code, named, "{reason}: {comment}");
            // RetryInfo is present only where the same bytes may succeed.
            let again = [
                "MESSAGE_INCOMPLETE",
                "OVERLOADED",
                "RATE_LIMITED",
                "REQUEST_IN_FLIGHT",
                "CONTENDED",
                "STATEMENT_CANCELLED",
                "DATABASE_UNAVAILABLE",
                "ANSWER_OF_NEWER_RELEASE",
                "ISSUER_UNAVAILABLE",
                "SCHEMA_OUTDATED",
            ];
            field_paths::check(&status);
            field_paths::check_field(&status, &reason);
            assert_eq!(status.get_details_retry_info().is_some(), again.contains(&reason.as_str()), "{status:?}");
            let resource = status.get_details_resource_info();
            assert_eq!(
                resource.is_some(),
                [Code::NotFound, Code::AlreadyExists].contains(&status.code()),
                "{status:?}"
            );
            let bytes = format!("{} {}", status.message(), String::from_utf8_lossy(status.details()));
            for word in ["select ", "insert ", "relation", "_pkey", "_key", "/tmp", "socket", "sqlx"] {
                assert!(!bytes.contains(word), "{reason} shows {word}: {bytes}");
            }
            assert!(status.message().len() > 10 && bytes.len() < 4096, "{status:?}");
        }
    }
    assert!(met.0.is_empty(), "not of the contract: {:?}", met.0.keys());
}

async fn callers(world: &World, met: &mut Met) {
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    for client in [
        world.without_token(),
        world.bearer("a.b.c".to_owned()),
        world.bearer("t".repeat(20_000)),
        world.subject("stranger"),
        world.subject(SERVICE),
        acme.admin.acting_in(&unknown_id()),
        acme.admin.acting_in("7"),
    ] {
        met.note(client.get(&unknown_id()).await);
    }
    met.note(acme.member(pb::Role::Viewer).await.create(customer("Ada")).await);
    met.note(acme.admin.accounts().list_tenants(pb::ListTenantsRequest::default()).await);
    for test_account in [&acme, &north] {
        test_account.add("max", pb::Role::Viewer).await;
    }
    met.note(world.subject("max").get(&unknown_id()).await);
    let again =
        pb::AddMemberRequest { principal: Some(principal("max")), role: pb::Role::Viewer.into(), ..Default::default() };
    met.note(acme.admin.access().add_member(again).await);
    let absent = pb::AcceptMembershipRequest { member_id: unknown_id(), ..Default::default() };
    met.note(acme.admin.access().accept_membership(absent).await);
    let absent = pb::RemoveMemberRequest { member_id: unknown_id(), ..Default::default() };
    met.note(acme.admin.access().remove_member(absent).await);
    let last = acme.admin.memberships(0).await.remove(0).member_id;
    let last = pb::RemoveMemberRequest { member_id: last, ..Default::default() };
    met.note(acme.admin.access().remove_member(last).await);
    invitations(world, &acme, met).await;
    let elsewhere = pb::GetAccountRequest { account_id: unknown_id() };
    met.note(acme.admin.accounts().get_account(elsewhere).await);
    let strange = pb::ListAccountsRequest { page_token: "x".to_owned(), ..Default::default() };
    met.note(acme.admin.accounts().list_accounts(strange).await);
    let mut deepest = acme;
    for _ in 2..=8 {
        deepest = deepest.child("below").await;
    }
    let deeper = pb::CreateAccountRequest {
        account: Some(pb::Account { name: "ninth".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    met.note(deepest.admin.accounts().create_account(deeper).await);
    stopped(world, met).await;
}

/// What suspended accounts and tenants refuse, and what cannot be changed of an account.
async fn stopped(world: &World, met: &mut Met) {
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let branch_id = north.branch("Harbour").await;
    for client in [&north.admin, &acme.admin] {
        client.create(pb::Customer { branch_id: String::new(), ..customer("Ada") }).await.unwrap();
    }
    north.admin.create(pb::Customer { branch_id: branch_id.clone(), ..customer("Bob") }).await.unwrap();
    let delete = pb::DeleteBranchRequest { branch_id, ..Default::default() };
    met.note(north.admin.accounts().delete_branch(delete).await);
    let strict = pb::UpdateAccountRequest {
        account: Some(pb::Account {
            id: acme.account.clone(),
            name_uniqueness: pb::NameUniqueness::Tenant.into(),
            ..Default::default()
        }),
        update_mask: Some(mask(&["name_uniqueness"])),
        ..Default::default()
    };
    met.note(acme.admin.accounts().update_account(strict).await);
    let suspend = pb::SuspendAccountRequest { account_id: north.account.clone(), ..Default::default() };
    met.note(north.admin.accounts().suspend_account(suspend.clone()).await);
    acme.admin.accounts().suspend_account(suspend).await.unwrap();
    met.note(north.admin.create(customer("Eve")).await);
    let stop = |tenant_id: String| pb::SuspendTenantRequest { tenant_id, ..Default::default() };
    met.note(world.operator().accounts().suspend_tenant(stop(unknown_id())).await);
    world.operator().accounts().suspend_tenant(stop(acme.tenant.clone())).await.unwrap();
    met.note(acme.admin.create(customer("Eve")).await);
}

/// Invitations that cannot be accepted.
async fn invitations(world: &World, acme: &TestAccount, met: &mut Met) {
    let nora = with_email(world, "nora", "nora@north.example");
    let used = invited(acme, "nora@north.example").await;
    met.note(invite(&acme.admin, inviting("nora@north.example", pb::Role::Viewer)).await);
    let token = token_of(world, acme, &used).await;
    met.note(accept(&nora, "guess").await);
    met.note(accept(&world.subject("nora"), &token).await);
    met.note(accept(&with_email(world, "max", "max@north.example"), &token).await);
    accept(&nora, &token).await.unwrap();
    met.note(accept(&with_email(world, "other", "nora@north.example"), &token).await);
    let expired = invited(acme, "nora@north.example").await;
    let token = token_of(world, acme, &expired).await;
    execute(world, "update invitations set expires_at = now()").await;
    met.note(accept(&nora, &token).await);
    revoke(&acme.admin, &expired.invitation_id).await.unwrap();
    met.note(accept(&nora, &token).await);
}

/// An issuer whose keys have a URL without a server.
async fn issuer_away(met: &mut Met) {
    let nowhere = Jwks::Url("https://localhost:1/keys".parse().unwrap());
    let world = World::start_with(database().await, |config| config.identity.issuers[0].jwks = nowhere).await;
    met.note(world.operator().get(&unknown_id()).await);
}

async fn messages(world: &World, met: &mut Met) {
    let acme = world.tenant("acme").await;
    let get = "/clientele.v1.CustomerService/GetCustomer";
    met.note(send(&acme.admin, get, NO_MESSAGE).await);
    met.note(send(&acme.admin, get, vec![0; 300 * 1024]).await);
    met.note(send(&acme.admin, "/clientele.v1.CustomerService/Nothing", Vec::new()).await);
}

async fn customers(world: &World, met: &mut Met) {
    let policies = pb::AccountPolicies { auto_approve: Some(false), ..requiring(&["email"], &["phone"]) };
    let acme = world.tenant_with("acme", pb::NameUniqueness::Account, policies).await;
    let admin = &acme.admin;
    let named = |name: &str| pb::Customer { email: "a@b.example".to_owned(), ..customer(name) };
    let full = pb::Customer {
        custom_ids: [("erp".to_owned(), "1".to_owned())].into(),
        order_reference: "order-1".to_owned(),
        ..named("Ada")
    };
    let ada = admin.create(full.clone()).await.unwrap();
    met.note(admin.create(customer("Bob")).await);
    met.note(set_default(admin, &ada.id, &unknown_id()).await);
    let number = pb::PaymentMethod { token: "4111 1111 1111 1111".to_owned(), ..card() };
    met.note(add(admin, &pb::AddPaymentMethodRequest { payment_method: Some(number), ..adding(&ada.id) }).await);
    met.note(admin.create(named("ADA")).await);
    met.note(
        admin.create(pb::Customer { order_reference: String::new(), name: "Bob".to_owned(), ..full.clone() }).await,
    );
    met.note(admin.create(pb::Customer { custom_ids: Default::default(), name: "Bob".to_owned(), ..full }).await);
    met.note(admin.get(&unknown_id()).await);
    met.note(admin.approve(&ada.id).await);
    admin.archive(&[&ada.id]).await.unwrap();
    met.note(admin.reject(&ada.id, "no").await);
    let stale = pb::RejectCustomerRequest {
        customer_id: ada.id.clone(),
        reason: "no".to_owned(),
        etag: ada.etag.clone(),
        ..Default::default()
    };
    met.note(admin.customers().reject_customer(stale).await);

    let north = acme.child_with("north", Some(pb::AccountPolicies::default())).await;
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..named("Fleet") };
    let fleet = admin.create(fleet).await.unwrap();
    met.note(north.admin.approve(&fleet.id).await);
    let lax = pb::AccountPolicies { auto_approve: Some(true), ..requiring(&[], &[]) };
    let lax = acme.child_with("lax", Some(lax)).await;
    let active = lax.admin.create(customer("Ada")).await.unwrap();
    met.note(lax.admin.reject(&active.id, "no").await);
    let mut twin = pb::CreateCustomerRequest { customer: Some(customer("Ada")), ..Default::default() };
    twin.set_duplicate_policy(pb::DuplicatePolicy::Block);
    met.note(lax.admin.customers().create_customer(twin).await);

    let asked =
        pb::CreateCustomerRequest { customer: Some(customer("Bob")), request_id: request_id(), ..Default::default() };
    lax.admin.customers().create_customer(asked.clone()).await.unwrap();
    let other = pb::CreateCustomerRequest { customer: Some(customer("Eve")), ..asked };
    met.note(lax.admin.customers().create_customer(other).await);
    let mut narrowed = lax.admin.clone();
    narrowed.customer = Some(active.id.clone());
    met.note(narrowed.create(customer("Bob")).await);
    newer(world, &lax, met).await;
    links(&lax, met).await;
    moves(&lax, &active.id, met).await;
    merges(admin, &lax, &north, met).await;
}

/// Customers that are merged and erased.
async fn merges(above: &Client, test_account: &TestAccount, other: &TestAccount, met: &mut Met) {
    let admin = &test_account.admin;
    let made = async |name: &str| {
        let legal_name = if name == "Stays" { String::new() } else { format!("{name} B.V.") };
        admin.create(pb::Customer { legal_name, ..customer(name) }).await.unwrap().id
    };
    let (stays, goes, gone) = (made("Stays").await, made("Goes").await, made("Gone").await);
    let elsewhere = pb::Customer { email: "a@b.example".to_owned(), ..customer("Elsewhere") };
    let elsewhere = other.admin.create(elsewhere).await.unwrap().id;
    met.note(above.merge(&stays, &[&elsewhere]).await);
    met.note(admin.unmerge(&goes).await);
    admin.merge(&stays, &[&goes]).await.unwrap();
    met.note(admin.approve(&goes).await);
    let changed = pb::Customer { id: stays.clone(), legal_name: "Since B.V.".to_owned(), ..Default::default() };
    admin.update(changed, &["legal_name"]).await.unwrap();
    met.note(admin.unmerge(&goes).await);
    admin.merge(&stays, &[&gone]).await.unwrap();
    met.note(admin.unmerge(&goes).await);
    admin.erase(&stays).await.unwrap();
    met.note(admin.approve(&goes).await);
}

/// Features, plans and credit.
async fn billed(world: &World, met: &mut Met) {
    let (acme, _) = telecom(world).await;
    let admin = &acme.admin;
    create_feature(admin, chargeable("unpriced")).await.unwrap();
    create_feature(admin, pb::Feature { retired: true, ..feature("fax") }).await.unwrap();
    met.note(create_feature(admin, feature("fax")).await);
    let ada = with_limit(admin, "Ada", 10).await;
    for code in ["no-such", "fax", "unpriced"] {
        met.note(activate(admin, &ada.id, code, 1).await);
    }
    met.note(activate(admin, &ada.id, "voicemail", 6).await);
    activate(admin, &ada.id, "voicemail", 1).await.unwrap();
    met.note(update_feature(admin, feature("voicemail"), &["chargeable"]).await);
    met.note(set_limit(admin, &ada.id, Some(eur(1))).await);
    met.note(set_limit(admin, &ada.id, Some(Money { currency_code: "USD".to_owned(), ..eur(9) })).await);
    let residential = pb::Customer { service_class: pb::ServiceClass::Residential.into(), ..customer("Rae") };
    let rae = admin.create(residential).await.unwrap();
    met.note(activate(admin, &rae.id, "trunk", 1).await);
    met.note(activate(admin, &rae.id, "voicemail", 1).await);
    let old = create_plan(admin, rate_plan("Old")).await.unwrap();
    archive_plan(admin, &old.id).await.unwrap();
    met.note(assign(admin, &ada.id, &old.id).await);
    met.note(archive_plan(admin, &unknown_id()).await);
    let north = acme.child("north").await;
    create_plan(&north.admin, rate_plan("Bare")).await.unwrap();
    met.note(admin.transfer(&[&ada.id], &north.account).await);
    let globex = world.tenant("globex").await;
    let bob = globex.admin.create(customer("Bob")).await.unwrap();
    met.note(set_limit(&globex.admin, &bob.id, Some(eur(1))).await);
}

/// A customer with a word, and a stored answer of a version, that only a newer release knows.
async fn newer(world: &World, test_account: &TestAccount, met: &mut Met) {
    let asked =
        pb::CreateCustomerRequest { customer: Some(customer("New")), request_id: request_id(), ..Default::default() };
    let made =
        test_account.admin.customers().create_customer(asked.clone()).await.unwrap().into_inner().customer.unwrap();
    let newer = format!(
        "alter table customers drop constraint customers_type_check;
         update customers set type = 'COOPERATIVE' where id = '{}';
         update requests set answer = answer || '{{\"v\": 2}}' where request_id = '{}'",
        made.id, asked.request_id
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(newer)).execute(&mut world.sql().await).await.unwrap();
    met.note(test_account.admin.archive(&[&made.id]).await);
    met.note(test_account.admin.customers().create_customer(asked).await);
}

/// What blocks the move of a customer.
async fn moves(test_account: &TestAccount, id: &str, met: &mut Met) {
    let admin = &test_account.admin;
    let revert = || pb::RevertCustomerMigrationRequest { customer_id: id.to_owned(), ..Default::default() };
    met.note(admin.customers().revert_customer_migration(revert()).await);
    let unnamed = pb::MigrateCustomerToResellerRequest { customer_id: id.to_owned(), ..Default::default() };
    met.note(admin.customers().migrate_customer_to_reseller(unnamed).await);
    let reseller = admin.migrate(id).await.unwrap().customer.unwrap().account_id;
    admin.acting_in(&reseller).create(customer("Second")).await.unwrap();
    met.note(admin.customers().revert_customer_migration(revert()).await);

    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), ..customer("Fleet") };
    met.note(admin.migrate(&admin.create(fleet).await.unwrap().id).await);
    let held = admin.create(customer("Held")).await.unwrap().id;
    let hold = pb::PlaceHoldRequest {
        customer_id: held.clone(),
        kind: "orders".to_owned(),
        reason: "two to deliver".to_owned(),
        ..Default::default()
    };
    admin.customers().place_hold(hold).await.unwrap();
    met.note(admin.migrate(&held).await);
}

/// The records of an account: custom IDs, tags, branches.
async fn links(test_account: &TestAccount, met: &mut Met) {
    let admin = &test_account.admin;
    for (name, system) in [("Cy", "erp"), ("Di", "crm")] {
        let custom_ids = [(system.to_owned(), "7".to_owned())].into();
        admin.create(pb::Customer { custom_ids, ..customer(name) }).await.unwrap();
    }
    let ambiguous = pb::LookupCustomerRequest { custom_id: "7".to_owned(), ..Default::default() };
    met.note(admin.customers().lookup_customer(ambiguous).await);
    let ids = big_customers(admin).await;
    let all = pb::BatchGetCustomersRequest { customer_ids: ids, view: pb::CustomerView::Full.into() };
    met.note(admin.customers().batch_get_customers(all).await);

    let vip = pb::CreateTagRequest { name: "vip".to_owned(), ..Default::default() };
    admin.tags().create_tag(vip.clone()).await.unwrap();
    met.note(admin.tags().create_tag(vip).await);
    met.note(admin.tags().delete_tag(pb::DeleteTagRequest { tag_id: unknown_id(), ..Default::default() }).await);
    let branch = |id: String| Some(pb::Branch { id, name: "Harbour".to_owned(), ..Default::default() });
    let new = pb::CreateBranchRequest { branch: branch(String::new()), ..Default::default() };
    admin.accounts().create_branch(new.clone()).await.unwrap();
    met.note(admin.accounts().create_branch(new).await);
    let absent = pb::UpdateBranchRequest {
        branch: branch(unknown_id()),
        update_mask: Some(mask(&["name"])),
        ..Default::default()
    };
    met.note(admin.accounts().update_branch(absent).await);
    let id = admin.create(customer("Ed")).await.unwrap().id;
    for hundred in 0..2 {
        let add_tags = (0..51).map(|number| format!("tag {hundred} {number}")).collect();
        let request = pb::ModifyCustomerTagsRequest { customer_ids: vec![id.clone()], add_tags, ..Default::default() };
        let done = admin.customers().modify_customer_tags(request).await;
        if hundred == 1 {
            met.note(done);
        } else {
            done.unwrap();
        }
    }
}

/// Customers that together exceed one answer.
async fn big_customers(admin: &Client) -> Vec<String> {
    let contact = |n: usize| pb::Contact {
        first_name: format!("{n} {}", "x".repeat(90)),
        last_name: "y".repeat(100),
        job_title: "z".repeat(100),
        email: format!("{}@company.example", "e".repeat(60)),
        ..Default::default()
    };
    let labels = |n: usize| (format!("label{n}"), "v".repeat(500));
    let mut ids = Vec::new();
    for n in 0..100 {
        let big = pb::Customer {
            contacts: (0..50).map(contact).collect(),
            labels: (0..50).map(labels).collect(),
            ..customer(&format!("Big {n}"))
        };
        ids.push(admin.create(big).await.unwrap().id);
    }
    ids
}

/// A customer whose row another session has locked, and a server with one connection.
async fn waiting(met: &mut Met) {
    let database = database().await;
    let world = World::start_with(database.clone(), |config| {
        config.database.pool_size = 1;
        config.database.pool_timeout = Duration::from_millis(50);
        // Long enough for what happens meanwhile.
        config.database.lock_timeout = Duration::from_secs(5);
        config.database.statement_timeout = Duration::from_secs(20);
    })
    .await;
    // From here on only the calls need the connection.
    until_ready(&world).await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let mut holder = world.sql().await;
    let mut held = holder.begin().await.unwrap();
    sqlx::query("select from customers for update").execute(&mut *held).await.unwrap();

    let approve = |test_account: &TestAccount, request_id: String| {
        let (client, customer_id) = (test_account.admin.clone(), ada.id.clone());
        async move {
            let request = pb::ApproveCustomerRequest { customer_id, request_id, ..Default::default() };
            client.customers().approve_customer(request).await
        }
    };
    let (contended, ()) = tokio::join!(approve(&acme, String::new()), async {
        until_blocked(&world).await;
        met.note(acme.admin.get(&ada.id).await);
    });
    met.note(contended);
    let (cancelled, ()) = tokio::join!(approve(&acme, String::new()), async {
        until_blocked(&world).await;
        let cancel = "select pg_cancel_backend(pid) from pg_stat_activity
                      where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query(cancel).execute(&mut world.sql().await).await.unwrap();
    });
    met.note(cancelled);
    let slow = World::start_with(database.clone(), |config| {
        wait_for_locks(config);
        config.database.statement_timeout = Duration::from_secs(1);
    })
    .await;
    let theirs = slow.tenant_with("initech", pb::NameUniqueness::None, manual_approval()).await;
    let cas = theirs.admin.create(customer("Cas")).await.unwrap();
    sqlx::query("select from customers for update").execute(&mut *held).await.unwrap();
    met.note(theirs.admin.approve(&cas.id).await);

    let hasty = World::start_with(database, |config| {
        config.limits.deadline = Duration::from_secs(2);
        wait_for_locks(config);
    })
    .await;
    let mine = hasty.tenant("globex").await;
    let bob = mine.admin.create(customer("Bob")).await.unwrap();
    sqlx::query("select from customers for update").execute(&mut *held).await.unwrap();
    // A repeat while this server still runs the first call, whose deadline passes.
    let rename = pb::UpdateCustomerRequest {
        customer: Some(pb::Customer { id: bob.id, ..customer("Rob") }),
        update_mask: Some(mask(&["name"])),
        request_id: request_id(),
        ..Default::default()
    };
    let (mut one, mut other) = (mine.admin.customers(), mine.admin.customers());
    let (late, in_flight) = tokio::join!(one.update_customer(rename.clone()), async {
        until_blocked(&hasty).await;
        other.update_customer(rename.clone()).await
    });
    met.note(late);
    met.note(in_flight);
}

/// A server with a rate limit of one call per second.
async fn too_often(met: &mut Met) {
    let once = RateLimit { per_second: NonZeroU32::MIN, burst: NonZeroU32::MIN };
    let world = World::start_with(database().await, |config| config.load.rate_limit = Some(once)).await;
    let calls = repeat_at_once(8, || {
        let client = world.subject("ada");
        async move { client.access().who_am_i(pb::WhoAmIRequest::default()).await }
    });
    for refused in calls.await.into_iter().filter(Result::is_err) {
        met.note(refused);
    }
}

/// A server that waits for a message only for a moment.
async fn half_sent(met: &mut Met) {
    let moment = Duration::from_millis(50);
    let world = World::start_with(database().await, |config| config.load.message_timeout = moment).await;
    let connection = raw::connect(world.server.address()).await;
    let half = connection.half("/clientele.v1.AccessService/WhoAmI", &world.keys.token("ada"), 10).await;
    met.note(Err::<(), Status>(half.status().await));
}

async fn of_another_page(met: &mut Met) {
    let world = World::start_with(database().await, with_grpc_web).await;
    let connection = raw::connect(world.server.address()).await;
    let call = connection.begin("/clientele.v1.AccessService/WhoAmI", &[("origin", "https://other.example")]).await;
    met.note(Err::<(), Status>(call.status().await));
}

async fn until_blocked(world: &World) {
    until("the writer waits for the row", async || {
        let waiting =
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        sqlx::query_scalar::<_, i64>(waiting).fetch_one(&mut world.sql().await).await.unwrap() > 0
    })
    .await;
}

/// Servers without a database, and with damaged tables.
async fn broken(met: &mut Met) {
    let world = World::start_with(database().await.port(1), |_| ()).await;
    met.note(world.subject("max").get(&unknown_id()).await);

    let world = World::start().await;
    let acme = world.tenant("acme").await;
    sqlx::raw_sql("alter table customers rename column name to lost").execute(&mut world.sql().await).await.unwrap();
    met.note(acme.admin.get(&unknown_id()).await);
    sqlx::raw_sql("alter table customers rename to lost").execute(&mut world.sql().await).await.unwrap();
    met.note(acme.admin.get(&unknown_id()).await);
}
