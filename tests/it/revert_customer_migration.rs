//! RevertCustomerMigration.

use clientele::grpc::pb::{self, MoveBlocker, RevertCustomerMigrationRequest as Reverting};
use tonic::{Code, Status};

use crate::{
    create_tag, custom_ids,
    decline_membership::{decline, declining},
    migrate_customer_to_reseller::{blockers, migrate, migrating},
    modify_customer_tags::{self, tags_of},
    place_hold::place,
    remove_member::{remove, removing},
    rows::rows,
    world::{Client, TestAccount, World, assert_refused, customer, full_customer, principal, request_id, unknown_id},
};

async fn revert(client: &Client, request: &Reverting) -> Result<pb::RevertCustomerMigrationResponse, Status> {
    Ok(client.customers().revert_customer_migration(request.clone()).await?.into_inner())
}

fn reverting(id: &str) -> Reverting {
    Reverting { customer_id: id.to_owned(), ..Default::default() }
}

/// An account, its customer before the migration, and the new account, whose admin is jan.
async fn migrated(world: &World, rule: pb::NameUniqueness) -> (TestAccount, pb::Customer, String) {
    let acme = world.tenant_with("acme", rule, pb::AccountPolicies::default()).await;
    let north = acme.child("north").await;
    let branch_id = north.branch("Harbour").await;
    let sales_person_id = north.add("sam", pb::Role::Member).await.member_id;
    let made =
        north.admin.create(pb::Customer { branch_id, sales_person_id, ..full_customer("Copaco") }).await.unwrap();
    north.admin.tag(&[&made.id], &["vip"], &[]).await.unwrap();
    let made = north.admin.get(&made.id).await.unwrap();
    let request = pb::MigrateCustomerToResellerRequest {
        first_admin: Some(principal("jan")),
        admin_email: String::new(),
        copy_tags: true,
        copy_custom_ids: true,
        ..migrating(&made.id)
    };
    let answer = migrate(&north.admin, &request).await.unwrap();
    // To agree to be a member is no use of the account.
    world.subject("jan").accepting_all().await;
    (north, made, answer.customer.unwrap().account_id)
}

#[tokio::test]
async fn the_customer_returns_to_its_former_account_unchanged() {
    let world = World::start().await;
    let (north, before, reseller) = Box::pin(migrated(&world, pb::NameUniqueness::Account)).await;
    // Meanwhile the former account changed its custom ID of the customer.
    north.admin.set_id(&before.id, "dms", "K-2").await.unwrap();

    let answer = revert(&north.admin, &reverting(&before.id)).await.unwrap();

    let now = north.admin.get(&before.id).await.unwrap();
    assert_eq!(answer.customer.as_ref(), Some(&now));
    assert!(answer.blockers.is_empty());
    let mut custom_ids = before.custom_ids.clone();
    custom_ids.insert("dms".to_owned(), "K-2".to_owned());
    let expected = pb::Customer {
        custom_ids,
        etag: now.etag.clone(),
        update_time: now.update_time,
        dms_link: now.dms_link,
        ..before.clone()
    };
    assert_eq!(now, expected);
    assert_refused(world.subject("jan").get(&before.id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let emptied = north.admin.acting_in(&reseller).accounts().get_account(pb::GetAccountRequest::default()).await;
    assert_eq!(emptied.unwrap().into_inner().account.unwrap().name, "Copaco", "the tree only grows");
    let events = north.admin.events(&before.id).await.unwrap();
    assert_eq!(events[0].r#type(), pb::CustomerEventType::MigrationReverted);
    custom_ids::assert_consistent(&world).await;
    modify_customer_tags::assert_consistent(&world).await;

    // It can be migrated again, to another new account.
    let again = north.admin.migrate(&before.id).await.unwrap().customer.unwrap();
    assert_ne!(again.reseller_account_id, reseller);
    assert_eq!(tags_of(&north.admin, &before.id).await, ["vip"]);
}

#[tokio::test]
async fn reverting_again_changes_nothing_and_a_repeat_gets_the_stored_answer() {
    let world = World::start().await;
    let (north, before, _) = Box::pin(migrated(&world, pb::NameUniqueness::None)).await;
    let request = Reverting { request_id: request_id(), ..reverting(&before.id) };
    let first = revert(&north.admin, &request).await.unwrap();
    let stored = rows(&world).await;
    let again = revert(&north.admin, &request).await.unwrap();
    assert_eq!(again, pb::RevertCustomerMigrationResponse { replayed: true, ..first.clone() });
    let anew = revert(&north.admin, &Reverting { etag: before.etag, ..reverting(&before.id) }).await.unwrap();
    assert_eq!(anew, first);
    assert_eq!(rows(&world).await, stored);
}

#[tokio::test]
async fn an_invitation_is_revoked() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let id = acme.admin.create(customer("Ada")).await.unwrap().id;
    acme.admin.migrate(&id).await.unwrap();
    let state = async || -> String {
        sqlx::query_scalar("select state from invitations").fetch_one(&mut world.sql().await).await.unwrap()
    };
    assert_eq!(state().await, "PENDING");
    revert(&acme.admin, &reverting(&id)).await.unwrap();
    assert_eq!(state().await, "REVOKED");
}

#[tokio::test]
async fn a_stale_etag_is_refused_and_validate_only_stores_nothing() {
    let world = World::start().await;
    let (north, before, reseller) = Box::pin(migrated(&world, pb::NameUniqueness::None)).await;
    let stored = rows(&world).await;
    let stale = Reverting { etag: before.etag.clone(), ..reverting(&before.id) };
    assert_refused(revert(&north.admin, &stale).await, Code::Aborted, "ETAG_MISMATCH");
    let only = Reverting { validate_only: true, ..reverting(&before.id) };
    let would_be = revert(&north.admin, &only).await.unwrap();
    let customer = would_be.customer.unwrap();
    assert_eq!((&customer.account_id, customer.etag.as_str()), (&north.account, ""));
    assert_eq!((&customer.branch_id, would_be.blockers.len()), (&before.branch_id, 0));
    assert_eq!(rows(&world).await, stored);
    assert_eq!(north.admin.get(&before.id).await.unwrap().account_id, reseller);
}

/// The blockers that validate_only returns. Asserts that a real call is refused and changes nothing.
async fn blocked(world: &World, client: &Client, id: &str, reason: &str) -> Vec<MoveBlocker> {
    let stored = rows(world).await;
    let only = Reverting { validate_only: true, ..reverting(id) };
    let preview = revert(client, &only).await.unwrap();
    let code = if reason.ends_with("_TAKEN") { Code::AlreadyExists } else { Code::FailedPrecondition };
    assert_refused(revert(client, &reverting(id)).await, code, reason);
    assert_eq!(rows(world).await, stored);
    blockers(&preview.blockers)
}

#[tokio::test]
async fn it_is_final_once_the_new_account_is_in_use() {
    let world = World::start().await;
    let (north, made, reseller) = Box::pin(migrated(&world, pb::NameUniqueness::None)).await;
    let by_admin_above = north.admin.acting_in(&reseller);
    let admin = &north.admin;
    // Changes to the customer by an admin of an account above do not count as use.
    by_admin_above.tag(&[&made.id], &["seen"], &[]).await.unwrap();
    assert!(admin.get(&made.id).await.unwrap().allowed_actions.contains(&"RevertCustomerMigration".to_owned()));
    let only = Reverting { validate_only: true, ..reverting(&made.id) };
    assert!(revert(admin, &only).await.unwrap().blockers.is_empty());

    create_tag::create(&world.subject("jan"), "ours").await.unwrap();
    assert_eq!(blocked(&world, admin, &made.id, "MIGRATION_FINAL").await, [MoveBlocker::InUse]);
    by_admin_above.create(customer("Second")).await.unwrap();
    let below = pb::CreateAccountRequest {
        account: Some(pb::Account { name: "below".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    by_admin_above.accounts().create_account(below).await.unwrap();
    crate::create_branch::branch(&by_admin_above, "Site", false).await.unwrap();
    let all = [MoveBlocker::HasBranch, MoveBlocker::HasAccount, MoveBlocker::HasCustomer, MoveBlocker::InUse];
    assert_eq!(blocked(&world, admin, &made.id, "MIGRATION_FINAL").await, all);
}

#[tokio::test]
async fn what_a_member_wrote_makes_it_final_although_the_member_has_gone() {
    let world = World::start().await;
    for writes in [false, true] {
        let (north, made, reseller) = Box::pin(migrated(&world, pb::NameUniqueness::None)).await;
        let jan = world.subject("jan");
        let own = jan.memberships(0).await.remove(0).member_id;
        if writes {
            create_tag::create(&jan, "ours").await.unwrap();
            remove(&north.admin.acting_in(&reseller), removing(&own)).await.unwrap();
            assert_eq!(blocked(&world, &north.admin, &made.id, "MIGRATION_FINAL").await, [MoveBlocker::InUse]);
        } else {
            decline(&jan, declining(&own)).await.unwrap();
            revert(&north.admin, &reverting(&made.id)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_tag_by_the_new_accounts_members_makes_it_final() {
    let world = World::start().await;
    let (north, made, _) = Box::pin(migrated(&world, pb::NameUniqueness::None)).await;
    world.subject("jan").set_id(&made.id, "erp", "R-1").await.unwrap();
    assert_eq!(blocked(&world, &north.admin, &made.id, "MIGRATION_FINAL").await, [MoveBlocker::InUse]);
}

#[tokio::test]
async fn it_is_final_after_30_days_and_when_the_customer_has_moved_on() {
    let world = World::start().await;
    let (north, made, reseller) = Box::pin(migrated(&world, pb::NameUniqueness::None)).await;
    let south = north.child("south").await;
    north.admin.transfer(&[&made.id], &south.account).await.unwrap();
    assert_eq!(blocked(&world, &north.admin, &made.id, "MIGRATION_FINAL").await, [MoveBlocker::MovedOn]);
    north.admin.transfer(&[&made.id], &reseller).await.unwrap();

    // The server's clock cannot be set, so the row gets a date 31 days ago.
    let aged = "update customers set migration = jsonb_set(migration, '{at}', to_jsonb(now() - interval '31 days'))";
    sqlx::raw_sql(aged).execute(&mut world.sql().await).await.unwrap();
    assert_eq!(blocked(&world, &north.admin, &made.id, "MIGRATION_FINAL").await, [MoveBlocker::TooLate]);
    let shown = north.admin.get(&made.id).await.unwrap();
    assert!(!shown.allowed_actions.contains(&"RevertCustomerMigration".to_owned()), "{:?}", shown.allowed_actions);
}

#[tokio::test]
async fn a_hold_a_taken_name_and_a_taken_order_reference_block_it() {
    let world = World::start().await;
    let (north, made, _) = Box::pin(migrated(&world, pb::NameUniqueness::Account)).await;
    // Its name and order reference are free in the former account.
    let other = pb::Customer { order_reference: made.order_reference.clone(), ..customer("COPACO") };
    let other = north.admin.create(other).await.unwrap();
    let both = [MoveBlocker::NameTaken, MoveBlocker::OrderReferenceTaken];
    assert_eq!(blocked(&world, &north.admin, &made.id, "NAME_TAKEN").await, both);
    let renamed = pb::Customer { id: other.id.clone(), ..customer("Other") };
    north.admin.update(renamed, &["name"]).await.unwrap();
    let order = [MoveBlocker::OrderReferenceTaken];
    assert_eq!(blocked(&world, &north.admin, &made.id, "ORDER_REFERENCE_TAKEN").await, order);
    place(&north.admin, &made.id, "orders").await.unwrap();
    let with_hold = [MoveBlocker::Hold, MoveBlocker::OrderReferenceTaken];
    assert_eq!(blocked(&world, &north.admin, &made.id, "CUSTOMER_HELD").await, with_hold);
}

#[tokio::test]
async fn a_customer_that_was_never_migrated_cannot_be_reverted_and_the_reseller_itself_cannot_revert() {
    let world = World::start().await;
    let (north, made, _) = Box::pin(migrated(&world, pb::NameUniqueness::None)).await;
    let ada = north.admin.create(customer("Ada")).await.unwrap().id;
    assert_eq!(blocked(&world, &north.admin, &ada, "NOT_MIGRATED").await, [MoveBlocker::NotMigrated]);
    // The reseller cannot act in the account to which the customer would return.
    let refused = revert(&world.subject("jan"), &reverting(&made.id)).await;
    assert_refused(refused, Code::NotFound, "ACCOUNT_NOT_FOUND");
    assert_refused(revert(&north.admin, &reverting(&unknown_id())).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
    let manager = north.member(pb::Role::ServiceManager).await;
    assert_refused(revert(&manager, &reverting(&made.id)).await, Code::PermissionDenied, "ROLE_TOO_LOW");
}
