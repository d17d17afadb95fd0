//! CreateBranch.

use clientele::grpc::pb::{self, CreateBranchRequest as Creation};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    list_branches::names,
    rows::rows,
    world::{Client, World, assert_refused, at_once, bad_fields, metadata, repeat_at_once, request_id},
};

fn creation(name: &str, dms_integrated: bool) -> Creation {
    let branch = pb::Branch { name: name.to_owned(), dms_integrated, ..Default::default() };
    Creation { branch: Some(branch), ..Default::default() }
}

async fn call(client: &Client, request: &Creation) -> Result<pb::CreateBranchResponse, Status> {
    Ok(client.accounts().create_branch(request.clone()).await?.into_inner())
}

/// Creates a branch.
pub async fn branch(client: &Client, name: &str, dms_integrated: bool) -> Result<pb::Branch, Status> {
    Ok(call(client, &creation(name, dms_integrated)).await?.branch.unwrap())
}

#[tokio::test]
async fn a_branch_keeps_its_spelling_and_only_its_account_sees_it() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, globex) = (acme.child("north").await, world.tenant("globex").await);
    let mut asked = creation("  Eindhoven   Zuid ", true);
    asked.branch.as_mut().unwrap().id = "ignored".to_owned();

    let made = call(&acme.admin, &asked).await.unwrap();

    let branch_made = made.branch.unwrap();
    assert_eq!((branch_made.name.as_str(), branch_made.dms_integrated, made.replayed), ("Eindhoven Zuid", true, false));
    assert_eq!(Uuid::parse_str(&branch_made.id).unwrap().get_version_num(), 7);
    let listed = acme.admin.accounts().list_branches(pb::ListBranchesRequest::default()).await.unwrap();
    assert_eq!(listed.into_inner().branches, [branch_made]);
    let taken = branch(&acme.admin, "EINDHOVEN ZUID", false).await;
    assert_refused(taken, Code::AlreadyExists, "BRANCH_EXISTS");
    for other in [&north.admin, &globex.admin] {
        assert_eq!(names(other).await, [""; 0]);
        branch(other, "Eindhoven Zuid", false).await.unwrap();
    }
}

#[tokio::test]
async fn malformed_branches_are_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    for name in ["", " ", &"é".repeat(121), "bell\u{7}"] {
        let refused = assert_refused(branch(&acme.admin, name, true).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["branch.name"], "{name:?}");
    }
    let nothing = Creation { request_id: "7".to_owned(), ..Default::default() };
    let refused = assert_refused(call(&acme.admin, &nothing).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused).len(), 2);
    assert_eq!(rows(&world).await, before);
    branch(&acme.admin, &"é".repeat(120), false).await.unwrap();
}

#[tokio::test]
async fn only_admins_create_branches() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::ServiceManager] {
        let refused = branch(&acme.member(role).await, "Eindhoven", true).await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    }
    branch(&acme.member(pb::Role::Admin).await, "Eindhoven", true).await.unwrap();
}

#[tokio::test]
async fn an_account_has_at_most_1000_branches() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let fill = "insert into branches (tenant_id, id, account_id, name, name_key, dms_integrated, created_at)
                select $1, gen_random_uuid(), $1, 'b ' || n, 'b ' || n, true, now() from generate_series(1, 997) as n";
    sqlx::query(fill).bind(Uuid::parse_str(&acme.tenant).unwrap()).execute(&mut world.sql().await).await.unwrap();
    let calls = (0..12).map(|number| {
        let client = acme.admin.clone();
        async move { branch(&client, &format!("new {number}"), false).await }
    });
    let made = at_once(calls).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 3);
    for refused in made.into_iter().filter(Result::is_err) {
        assert_refused(refused, Code::FailedPrecondition, "LIMIT_REACHED");
    }
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_and_one_of_many_concurrent_creates_wins() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let request = Creation { request_id: request_id(), ..creation("Eindhoven", true) };
    let answers = repeat_at_once(20, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.branch == answers[0].branch));

    let other = Creation { request_id: request.request_id.clone(), ..creation("Eindhoven", false) };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let calls = (0..10).map(|_| {
        let client = acme.admin.clone();
        async move { branch(&client, "Venlo", false).await }
    });
    let made = at_once(calls).await;
    assert_eq!(made.iter().filter(|made| made.is_ok()).count(), 1);
    for refused in made.into_iter().filter(Result::is_err) {
        assert_refused(refused, Code::AlreadyExists, "BRANCH_EXISTS");
    }
    assert_eq!(names(&acme.admin).await, ["Eindhoven", "Venlo"]);
}

#[tokio::test]
async fn validate_only_checks_everything_and_changes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    branch(&acme.admin, "Venlo", false).await.unwrap();
    let before = rows(&world).await;
    let only = Creation { validate_only: true, request_id: request_id(), ..creation("Eindhoven", true) };
    let would_be = call(&acme.admin, &only).await.unwrap().branch.unwrap();
    assert_eq!((would_be.id.as_str(), would_be.name.as_str(), would_be.dms_integrated), ("", "Eindhoven", true));
    let taken = call(&acme.admin, &Creation { validate_only: true, ..creation("venlo", true) }).await;
    assert_refused(taken, Code::AlreadyExists, "BRANCH_EXISTS");
    assert_eq!(rows(&world).await, before);
}
