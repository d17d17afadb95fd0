//! MigrateCustomerToReseller.

use clientele::grpc::pb::{self, MigrateCustomerToResellerRequest as Migrating, MoveBlocker};
use tonic::{Code, Status};

use crate::{
    custom_ids::{self, assert_consistent, fleet, with_custom_ids},
    modify_customer_tags::{self, tags_of},
    place_hold::place,
    rows::rows,
    world::{
        Client, TestAccount, World, assert_refused, bad_fields, customer, full_customer, manual_approval, metadata,
        principal, request_id, requiring, unknown_id, wire,
    },
};

pub async fn migrate(client: &Client, request: &Migrating) -> Result<pb::MigrateCustomerToResellerResponse, Status> {
    Ok(client.customers().migrate_customer_to_reseller(request.clone()).await?.into_inner())
}

pub fn migrating(id: &str) -> Migrating {
    Migrating { customer_id: id.to_owned(), admin_email: "admin@company.nl".to_owned(), ..Default::default() }
}

/// The blockers' names, without their prefix.
pub fn blockers(blocked: &[pb::BlockedMove]) -> Vec<MoveBlocker> {
    assert!(blocked.iter().all(|one| one.message.len() > 10), "{blocked:?}");
    blocked.iter().map(pb::BlockedMove::blocker).collect()
}

/// An account with a customer that has every field, a branch and a sales person; and a sibling account.
async fn fixture(world: &World) -> (TestAccount, TestAccount, pb::Customer) {
    let acme = world.tenant("acme").await;
    let north = acme.child_with("north", Some(requiring(&["email"], &[]))).await;
    let branch_id = north.branch("Harbour").await;
    let sales_person_id = north.add("sam", pb::Role::Member).await.member_id;
    let made =
        north.admin.create(pb::Customer { branch_id, sales_person_id, ..full_customer("Copaco") }).await.unwrap();
    north.admin.tag(&[&made.id], &["vip", "large"], &[]).await.unwrap();
    let made = north.admin.get(&made.id).await.unwrap();
    (acme, north, made)
}

#[tokio::test]
async fn a_customer_becomes_a_reseller_and_keeps_all_its_data() {
    let world = World::start().await;
    let (acme, north, before) = fixture(&world).await;
    let request = Migrating {
        account_name: "Copaco Portal".to_owned(),
        first_admin: Some(principal("jan")),
        admin_email: String::new(),
        ..migrating(&before.id)
    };

    let answer = migrate(&north.admin, &request).await.unwrap();

    let plan = answer.plan.unwrap();
    let account = plan.account.unwrap();
    assert_eq!((account.name.as_str(), &account.parent_id), ("Copaco Portal", &north.account));
    assert_eq!(account.ancestor_ids, [&account.id, &north.account, &acme.account].map(Clone::clone));
    let required = |account: &pb::Account| account.policies.clone().unwrap().required_to_create;
    let parent = north.admin.accounts().get_account(pb::GetAccountRequest::default()).await.unwrap().into_inner();
    assert_eq!(required(&account), required(&parent.account.unwrap()), "a copy of the parent's policies");
    assert_eq!((plan.first_admin.unwrap().subject.as_str(), plan.admin_email.as_str()), ("jan", ""));
    assert_eq!((&plan.cleared_branch_id, &plan.cleared_sales_person_id), (&before.branch_id, &before.sales_person_id));
    assert!(plan.copied_tags.is_empty() && plan.copied_custom_ids.is_empty() && answer.blockers.is_empty());

    // The account above still sees it, with its own tags and custom IDs, and its etag is valid.
    let now = north.admin.get(&before.id).await.unwrap();
    assert_eq!(answer.customer.as_ref(), Some(&now));
    let expected = pb::Customer {
        account_id: account.id.clone(),
        reseller_account_id: account.id.clone(),
        branch_id: String::new(),
        sales_person_id: String::new(),
        etag: now.etag.clone(),
        update_time: now.update_time,
        allowed_actions: now.allowed_actions.clone(),
        ..before.clone()
    };
    assert_eq!(now, expected);
    assert_ne!(now.etag, before.etag);
    assert!(now.allowed_actions.contains(&"RevertCustomerMigration".to_owned()), "{:?}", now.allowed_actions);
    assert_eq!(north.admin.lookup("Copaco-00123", "erp").await.unwrap().0, before.id);

    // The new admin sees it as its owner, and nothing that belongs to the former owner.
    let jan = world.subject("jan").accepting_all().await;
    let owned = jan.get(&before.id).await.unwrap();
    assert!(owned.custom_ids.is_empty() && owned.tags.is_empty(), "{owned:?}");
    assert_eq!((owned.contacts, owned.email, owned.labels), (before.contacts, before.email, before.labels));
    assert_refused(jan.lookup("Copaco-00123", "erp").await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_refused(north.child("other").await.admin.get(&before.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_consistent(&world).await;
    modify_customer_tags::assert_consistent(&world).await;
}

#[tokio::test]
async fn tags_and_custom_ids_are_copied_on_request_and_the_old_account_keeps_its_own() {
    let world = World::start().await;
    let (_, north, before) = fixture(&world).await;
    north.admin.set_id(&before.id, "dms", "K-1").await.unwrap();
    north.admin.set_id(&before.id, "dms", "K-2").await.unwrap();
    let request = Migrating { copy_tags: true, copy_custom_ids: true, ..migrating(&before.id) };

    let plan = migrate(&north.admin, &request).await.unwrap().plan.unwrap();

    assert_eq!(plan.copied_tags, ["large", "vip"]);
    let ids = [("dms", "K-2"), ("erp", "Copaco-00123")].map(|(system, id)| (system.to_owned(), id.to_owned()));
    assert_eq!(plan.copied_custom_ids, ids.into());
    let reseller = north.admin.acting_in(&plan.account.unwrap().id);
    let owned = reseller.get(&before.id).await.unwrap();
    assert_eq!(owned.custom_ids, plan.copied_custom_ids);
    assert_eq!(tags_of(&reseller, &before.id).await, ["large", "vip"]);
    assert_eq!(reseller.lookup("k-2", "").await.unwrap(), (before.id.clone(), false));
    assert_refused(reseller.lookup("K-1", "").await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(
        north.admin.lookup("K-1", "").await.unwrap(),
        (before.id.clone(), true),
        "an alias stays with its account"
    );

    // The copies belong to the new account: changes of one do not change the other.
    reseller.set_id(&before.id, "dms", "R-1").await.unwrap();
    reseller.tag(&[&before.id], &["ours"], &["vip"]).await.unwrap();
    assert_eq!(north.admin.get(&before.id).await.unwrap().custom_ids["dms"], "K-2");
    assert_eq!(tags_of(&north.admin, &before.id).await, ["large", "vip"]);
    north.admin.tag(&[&before.id], &[], &["large"]).await.unwrap();
    assert_eq!(tags_of(&reseller, &before.id).await, ["large", "ours"]);
    assert_consistent(&world).await;
    modify_customer_tags::assert_consistent(&world).await;
}

#[tokio::test]
async fn one_event_records_old_and_new_account_and_cleared_fields() {
    let world = World::start().await;
    let (_, north, before) = fixture(&world).await;
    let events_before = north.admin.events(&before.id).await.unwrap().len();

    let migrated = north.admin.migrate(&before.id).await.unwrap().customer.unwrap();

    let events = north.admin.events(&before.id).await.unwrap();
    assert_eq!(events.len(), events_before + 1);
    assert_eq!(events[0].r#type(), pb::CustomerEventType::Migrated);
    let change = |path: &str| {
        let change = events[0].changes.iter().find(|change| change.field == path).unwrap_or_else(|| panic!("{path}"));
        (change.old_value.clone(), change.new_value.clone())
    };
    let text =
        |text: &str| Some(prost_types::Value { kind: Some(prost_types::value::Kind::StringValue(text.to_owned())) });
    assert_eq!(change("account_id"), (text(&north.account), text(&migrated.account_id)));
    assert_eq!(change("branch_id").0, text(&before.branch_id));
    assert_eq!(change("sales_person_id").0, text(&before.sales_person_id));
    // A caller with an older etag gets the changed fields.
    let stale = pb::SuspendCustomerRequest {
        customer_id: before.id,
        reason: "unpaid".to_owned(),
        etag: before.etag,
        ..Default::default()
    };
    let stale = north.admin.customers().suspend_customer(stale).await;
    let stale = assert_refused(stale, Code::Aborted, "ETAG_MISMATCH");
    assert_eq!(metadata(&stale, "changed_fields").unwrap(), "account_id,branch_id,sales_person_id");
}

#[tokio::test]
async fn the_invitation_goes_to_the_named_address_the_primary_contact_or_the_customer() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let contact =
        |email: &str| vec![pb::Contact { first_name: "Jan".to_owned(), email: email.to_owned(), ..Default::default() }];
    let mail = |text: &str| text.to_owned();
    for (named, contacts, email, invited) in [
        ("boss@company.nl", contact("jan@company.nl"), mail("info@company.nl"), "boss@company.nl"),
        ("", contact("jan@company.nl"), mail("info@company.nl"), "jan@company.nl"),
        ("", contact(""), mail("info@company.nl"), "info@company.nl"),
    ] {
        let made = pb::Customer { contacts, email, ..customer("Ada") };
        let id = acme.admin.create(made).await.unwrap().id;
        let request = Migrating { admin_email: named.to_owned(), ..migrating(&id) };
        let plan = migrate(&acme.admin, &request).await.unwrap().plan.unwrap();
        assert_eq!(plan.admin_email, invited);
        assert_eq!(plan.account.as_ref().unwrap().name, "Ada", "by default the customer's name");
        let kept: Vec<(String, String)> =
            sqlx::query_as("select email, role from invitations where account_id = $1::uuid")
                .bind(plan.account.unwrap().id)
                .fetch_all(&mut world.sql().await)
                .await
                .unwrap();
        assert_eq!(kept, [(invited.to_owned(), "ADMIN".to_owned())]);
    }
    let id = acme.admin.create(customer("Eve")).await.unwrap().id;
    let request = Migrating { admin_email: String::new(), ..migrating(&id) };
    assert_refused(migrate(&acme.admin, &request).await, Code::FailedPrecondition, "ADMIN_EMAIL_MISSING");
}

#[tokio::test]
async fn validate_only_returns_every_blocker_and_the_first_one_is_the_error() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let mut deepest = acme.clone();
    for _ in 2..=8 {
        deepest = deepest.child("below").await;
    }
    let made = deepest.admin.create(fleet("Ada")).await.unwrap();
    place(&deepest.admin, &made.id, "orders").await.unwrap();
    deepest.admin.archive(&[&made.id]).await.unwrap();
    let before = rows(&world).await;
    let request = Migrating { admin_email: String::new(), ..migrating(&made.id) };

    let answer = migrate(&deepest.admin, &Migrating { validate_only: true, ..request.clone() }).await.unwrap();
    assert_eq!(
        blockers(&answer.blockers),
        [
            MoveBlocker::Archived,
            MoveBlocker::NotActive,
            MoveBlocker::TreeTooDeep,
            MoveBlocker::Fleet,
            MoveBlocker::Hold,
            MoveBlocker::NoAdminEmail
        ]
    );
    assert!(answer.blockers.iter().all(|one| one.customer_id == made.id && one.field == "customer_id"));
    assert!(answer.plan.unwrap().account.is_none());
    assert_eq!(answer.customer.unwrap().account_id, deepest.account);
    assert_refused(migrate(&deepest.admin, &request).await, Code::FailedPrecondition, "CUSTOMER_ARCHIVED");
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn each_single_blocker_has_its_usual_error() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let admin = &acme.admin;
    let held = admin.create(customer("Held")).await.unwrap().id;
    place(admin, &held, "orders").await.unwrap();
    let suspended = admin.create(customer("Suspended")).await.unwrap().id;
    crate::suspend_customer::suspend(admin, &suspended).await.unwrap();
    let reach = admin.create(fleet("Fleet")).await.unwrap().id;
    for (id, reason) in [(held, "CUSTOMER_HELD"), (suspended, "ILLEGAL_TRANSITION"), (reach, "CUSTOMER_FLEET")] {
        assert_refused(admin.migrate(&id).await, Code::FailedPrecondition, reason);
        assert!(!admin.get(&id).await.unwrap().allowed_actions.contains(&"MigrateCustomerToReseller".to_owned()));
    }
}

#[tokio::test]
async fn validate_only_shows_the_plan_and_stores_nothing() {
    let world = World::start().await;
    let (_, north, made) = fixture(&world).await;
    let before = rows(&world).await;
    let request = Migrating { copy_tags: true, copy_custom_ids: true, validate_only: true, ..migrating(&made.id) };

    let answer = migrate(&north.admin, &request).await.unwrap();

    assert_eq!(rows(&world).await, before);
    let plan = answer.plan.unwrap();
    let account = plan.account.unwrap();
    assert_eq!((account.id.as_str(), account.ancestor_ids.len(), account.name.as_str()), ("", 0, "Copaco"));
    assert_eq!((plan.copied_tags.len(), plan.copied_custom_ids.len()), (2, 1));
    let would_be = answer.customer.unwrap();
    assert_eq!((would_be.etag.as_str(), would_be.account_id.as_str(), would_be.branch_id.as_str()), ("", "", ""));
    assert_eq!(would_be.id, made.id);
}

#[tokio::test]
async fn migrating_again_changes_nothing_and_a_repeat_gets_the_stored_answer() {
    let world = World::start().await;
    let (_, north, made) = fixture(&world).await;
    let request = Migrating { copy_tags: true, request_id: request_id(), ..migrating(&made.id) };
    let first = migrate(&north.admin, &request).await.unwrap();
    let stored = rows(&world).await;

    let again = migrate(&north.admin, &request).await.unwrap();
    assert_eq!(again, pb::MigrateCustomerToResellerResponse { replayed: true, ..first.clone() });
    let other = Migrating { copy_tags: false, ..request.clone() };
    assert_refused(migrate(&north.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let anew = Migrating { request_id: request_id(), etag: made.etag, account_name: "Other".to_owned(), ..request };
    let anew = migrate(&north.admin, &anew).await.unwrap();
    let account = |answer: &pb::MigrateCustomerToResellerResponse| answer.plan.clone().unwrap().account.unwrap();
    assert_eq!((account(&anew), anew.customer.as_ref()), (account(&first), first.customer.as_ref()));
    assert!(!anew.replayed);
    assert_eq!(rows(&world).await, stored);
}

#[tokio::test]
async fn one_of_many_concurrent_calls_makes_the_account() {
    let world = World::in_production().await;
    let (_, north, made) = fixture(&world).await;
    let calls = (0..12).map(|_| {
        let (client, request) = (north.admin.clone(), migrating(&made.id));
        async move { migrate(&client, &request).await }
    });
    let answers = custom_ids::at_once(calls).await;
    let accounts: std::collections::BTreeSet<String> =
        answers.into_iter().map(|answer| answer.unwrap().plan.unwrap().account.unwrap().id).collect();
    assert_eq!(accounts.len(), 1);
    let made: i64 = sqlx::query_scalar("select count(*) from accounts where name = 'Copaco'")
        .fetch_one(&mut world.sql().await)
        .await
        .unwrap();
    assert_eq!(made, 1);
}

#[tokio::test]
async fn every_error_is_reported_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let request = Migrating {
        customer_id: "7".to_owned(),
        account_name: "x".repeat(121),
        admin_email: "nobody".to_owned(),
        first_admin: Some(pb::Principal::default()),
        request_id: "once".to_owned(),
        ..Default::default()
    };
    let refused = assert_refused(migrate(&acme.admin, &request).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    fields.dedup();
    assert_eq!(fields, ["account_name", "admin_email", "customer_id", "first_admin.subject", "request_id"]);
}

#[tokio::test]
async fn an_account_below_a_fleet_customers_owner_cannot_and_another_tenant_sees_nothing() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let north = acme.child("north").await;
    let shared = acme.admin.create(fleet("Shared")).await.unwrap().id;
    assert_refused(north.admin.migrate(&shared).await, Code::PermissionDenied, "FLEET_OWNED_ELSEWHERE");
    let own = acme.admin.create(with_custom_ids("Own", &[])).await.unwrap().id;
    let hidden = assert_refused(globex.admin.migrate(&own).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(wire(&hidden), wire(&globex.admin.migrate(&unknown_id()).await.unwrap_err()));
    let manager = acme.member(pb::Role::ServiceManager).await;
    let refused = assert_refused(manager.migrate(&own).await, Code::PermissionDenied, "ROLE_TOO_LOW");
    assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
}
