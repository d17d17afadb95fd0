//! DeleteBranch.

use clientele::grpc::pb::{self, DeleteBranchRequest as Deleting};
use tonic::{Code, Status};

use crate::{
    create_branch::branch,
    list_branches::names,
    rows::rows,
    world::{
        Client, TestAccount, World, assert_refused, at_once, bad_fields, customer, metadata, reason, repeat_at_once,
        request_id, rounds, unknown_id, wire,
    },
};

async fn call(client: &Client, request: &Deleting) -> Result<pb::DeleteBranchResponse, Status> {
    Ok(client.accounts().delete_branch(request.clone()).await?.into_inner())
}

fn deleting(id: &str) -> Deleting {
    Deleting { branch_id: id.to_owned(), ..Default::default() }
}

async fn delete(client: &Client, id: &str) -> Result<pb::DeleteBranchResponse, Status> {
    call(client, &deleting(id)).await
}

fn at(branch: &str, name: &str) -> pb::Customer {
    pb::Customer { branch_id: branch.to_owned(), ..customer(name) }
}

#[tokio::test]
async fn an_empty_branch_goes_and_its_name_is_free() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = branch(&acme.admin, "Eindhoven", true).await.unwrap();
    let other = branch(&acme.admin, "Venlo", false).await.unwrap();
    let ada = acme.admin.create(at(&other.id, "Ada")).await.unwrap();
    let shown = acme.admin.create(customer("Bob")).await.unwrap();
    assert_eq!(shown.dms_link(), pb::DmsLink::NumberMissing, "some branch is integrated");

    let answer = delete(&acme.admin, &made.id).await.unwrap();

    assert!(!answer.replayed);
    assert_eq!(names(&acme.admin).await, ["Venlo"]);
    assert_eq!(acme.admin.get(&shown.id).await.unwrap().dms_link(), pb::DmsLink::NotIntegrated, "at once");
    assert_refused(delete(&acme.admin, &made.id).await, Code::NotFound, "BRANCH_NOT_FOUND");
    branch(&acme.admin, "EINDHOVEN", false).await.unwrap();
    let gone = acme.admin.create(at(&made.id, "Eve")).await;
    assert_refused(gone, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(acme.admin.get(&ada.id).await.unwrap().branch_id, other.id);
}

#[tokio::test]
async fn a_branch_with_a_customer_stays_archived_or_not() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = branch(&acme.admin, "Eindhoven", false).await.unwrap();
    let ada = acme.admin.create(at(&made.id, "Ada")).await.unwrap();
    acme.admin.archive(&[&ada.id]).await.unwrap();
    let before = rows(&world).await;
    for validate_only in [true, false] {
        let refused = call(&acme.admin, &Deleting { validate_only, ..deleting(&made.id) }).await;
        assert_refused(refused, Code::FailedPrecondition, "BRANCH_IN_USE");
    }
    assert_eq!(rows(&world).await, before);
    acme.admin.update(pb::Customer { branch_id: String::new(), ..ada }, &["branch_id"]).await.unwrap();
    let before = rows(&world).await;
    call(&acme.admin, &Deleting { validate_only: true, request_id: request_id(), ..deleting(&made.id) }).await.unwrap();
    assert_eq!(rows(&world).await, before, "validate_only changes nothing");
    delete(&acme.admin, &made.id).await.unwrap();
}

#[tokio::test]
async fn a_branch_of_another_account_does_not_exist_and_only_admins_delete() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let made = branch(&north.admin, "Eindhoven", false).await.unwrap();
    let absent = wire(&delete(&north.admin, &unknown_id()).await.unwrap_err());
    for client in [&acme.admin, &south.admin, &globex.admin] {
        let refused = assert_refused(delete(client, &made.id).await, Code::NotFound, "BRANCH_NOT_FOUND");
        assert_eq!(wire(&refused), absent, "existence must not leak");
    }
    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::ServiceManager] {
        let refused = delete(&north.member(role).await, &made.id).await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    }
    let malformed = assert_refused(delete(&north.admin, "7").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&malformed), ["branch_id"]);
    let narrowed = delete(&north.admin.narrowed_to(&unknown_id()), &made.id).await;
    assert_refused(narrowed, Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
    delete(&acme.admin.acting_in(&north.account), &made.id).await.unwrap();
}

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let made = branch(&acme.admin, "Eindhoven", false).await.unwrap();
    let request = Deleting { request_id: request_id(), ..deleting(&made.id) };
    let answers = repeat_at_once(12, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let other = Deleting { branch_id: branch(&acme.admin, "Venlo", false).await.unwrap().id, ..request };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

/// Deletes a branch while calls put customers into it. Returns whether it went.
async fn against(acme: &TestAccount, calls: usize) -> bool {
    let made = branch(&acme.admin, &unknown_id(), false).await.unwrap();
    let mut old = Vec::new();
    for _ in 0..calls {
        old.push(acme.admin.create(customer("Old")).await.unwrap());
    }
    let deletion = async { delete(&acme.admin, &made.id).await };
    let calls = old.into_iter().enumerate().map(|(number, old)| {
        let (client, branch_id) = (acme.admin.clone(), made.id.clone());
        async move {
            if number % 2 == 0 {
                client.update(pb::Customer { branch_id, ..old }, &["branch_id"]).await
            } else {
                client.create(at(&branch_id, "New")).await
            }
        }
    });
    let (deleted, answers) = tokio::join!(deletion, at_once(calls));
    let kept = answers.iter().filter(|answer| answer.is_ok()).count();
    for refused in answers.into_iter().filter_map(Result::err) {
        assert_eq!(reason(&refused), "INVALID_FIELDS", "{refused:?}");
    }
    match deleted {
        Ok(_) => assert_eq!(kept, 0, "a customer is in a branch that is gone"),
        Err(refused) => {
            assert_refused(Err::<(), _>(refused), Code::FailedPrecondition, "BRANCH_IN_USE");
            assert!(kept > 0, "refused without a cause");
        }
    }
    kept == 0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_deletion_and_a_call_that_uses_the_branch_one_is_refused() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let mut gone = 0;
    for calls in [1, 2, 4, 8].into_iter().cycle().take(12 * usize::try_from(rounds(1)).unwrap()) {
        gone += usize::from(against(&acme, calls).await);
    }
    let customers: i64 = sqlx::query_scalar(
        "select count(*) from customers c where branch_id is not null
         and not exists (select from branches b where b.tenant_id = c.tenant_id and b.id = c.branch_id)",
    )
    .fetch_one(&mut world.sql().await)
    .await
    .unwrap();
    assert_eq!(customers, 0, "{gone} branches are gone");
}

#[tokio::test]
async fn a_create_that_waited_for_the_deletion_is_refused_for_its_branch() {
    let world = World::start_with(crate::world::database().await, crate::world::wait_for_locks).await;
    let acme = world.tenant("acme").await;
    let made = branch(&acme.admin, "Eindhoven", false).await.unwrap();
    let old = acme.admin.create(customer("Old")).await.unwrap();
    let mut holder = world.sql().await;
    let mut held = sqlx::Connection::begin(&mut holder).await.unwrap();
    let lock = "delete from branches where id = $1::uuid";
    sqlx::query(lock).bind(&made.id).execute(&mut *held).await.unwrap();
    let create = acme.admin.create(at(&made.id, "New"));
    let update = acme.admin.update(pb::Customer { branch_id: made.id.clone(), ..old }, &["branch_id"]);
    let (created, updated, ()) = tokio::join!(create, update, async {
        crate::world::until("both wait for the branch", async || {
            let waiting = "select count(*) from pg_stat_activity
                           where datname = current_database() and wait_event_type = 'Lock'";
            let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&mut world.sql().await).await.unwrap();
            waiting == 2
        })
        .await;
        held.commit().await.unwrap();
    });
    for refused in [created, updated] {
        let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["customer.branch_id"]);
    }
}
