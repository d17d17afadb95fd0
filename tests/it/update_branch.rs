//! UpdateBranch.

use clientele::grpc::pb::{self, UpdateBranchRequest as Updating};
use tonic::{Code, Status};

use crate::{
    create_branch::branch,
    list_branches::names,
    rows::rows,
    world::{
        Client, World, assert_refused, at_once, bad_fields, mask, metadata, repeat_at_once, request_id, unknown_id,
        wire,
    },
};

fn updating(branch: &pb::Branch, paths: &[&str]) -> Updating {
    Updating { branch: Some(branch.clone()), update_mask: Some(mask(paths)), ..Default::default() }
}

async fn call(client: &Client, request: &Updating) -> Result<pb::UpdateBranchResponse, Status> {
    Ok(client.accounts().update_branch(request.clone()).await?.into_inner())
}

/// Changes the fields of a branch that the paths name.
pub async fn update(client: &Client, branch: &pb::Branch, paths: &[&str]) -> Result<pb::Branch, Status> {
    Ok(call(client, &updating(branch, paths)).await?.branch.unwrap())
}

#[tokio::test]
async fn only_the_fields_that_the_mask_names_change() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = branch(&acme.admin, "Eindhoven", false).await.unwrap();
    let other = pb::Branch { name: "Venlo".to_owned(), dms_integrated: true, ..made.clone() };

    let integrated = update(&acme.admin, &other, &["dms_integrated"]).await.unwrap();
    assert_eq!(integrated, pb::Branch { dms_integrated: true, ..made.clone() });
    let named = update(&acme.admin, &pb::Branch { dms_integrated: false, ..other.clone() }, &["name"]).await.unwrap();
    assert_eq!(named, other);
    let both = update(&acme.admin, &made, &["name", "dms_integrated", "name"]).await.unwrap();
    assert_eq!(both, made);
    assert_eq!(names(&acme.admin).await, ["Eindhoven"]);

    let before = rows(&world).await;
    let same = Updating { request_id: request_id(), ..updating(&made, &["name", "dms_integrated"]) };
    for _ in 0..2 {
        assert!(!call(&acme.admin, &same).await.unwrap().replayed);
    }
    assert_eq!(rows(&world).await, before, "a call that changes nothing writes nothing");
    assert_eq!(
        update(&acme.admin, &pb::Branch { name: "EINDHOVEN".to_owned(), ..made }, &["name"]).await.unwrap().name,
        { "EINDHOVEN" }
    );
}

#[tokio::test]
async fn malformed_updates_report_every_error() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = branch(&acme.admin, "Eindhoven", false).await.unwrap();
    branch(&acme.admin, "Venlo", false).await.unwrap();
    let before = rows(&world).await;
    let refused = async |request: Updating| {
        let refused = call(&acme.admin, &request).await;
        let mut fields = bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS"));
        fields.sort();
        fields
    };
    assert_eq!(refused(Updating { update_mask: None, ..updating(&made, &[]) }).await, ["update_mask"]);
    assert_eq!(refused(updating(&made, &[])).await, ["update_mask"]);
    assert_eq!(refused(updating(&made, &["*"])).await, ["update_mask.paths[0]"]);
    let unknown = ["name", "id", "create_time", "dms_integrated.x", ""];
    assert_eq!(refused(updating(&made, &unknown)).await, [1, 2, 3, 4].map(|n| format!("update_mask.paths[{n}]")));
    let nameless = pb::Branch { name: String::new(), id: "7".to_owned(), ..made.clone() };
    assert_eq!(refused(updating(&nameless, &["name"])).await, ["branch.id", "branch.name"]);
    assert_eq!(
        refused(updating(&nameless, &["dms_integrated"])).await,
        ["branch.id"],
        "the mask does not name the name"
    );

    let taken = update(&acme.admin, &pb::Branch { name: "VENLO".to_owned(), ..made }, &["name"]).await;
    assert_refused(taken, Code::AlreadyExists, "BRANCH_EXISTS");
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn a_branch_of_another_account_does_not_exist_and_only_admins_update() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let made = branch(&north.admin, "Eindhoven", false).await.unwrap();
    let absent = pb::Branch { id: unknown_id(), ..made.clone() };
    for client in [&acme.admin, &south.admin, &globex.admin] {
        let refused = update(client, &pb::Branch { dms_integrated: true, ..made.clone() }, &["dms_integrated"]).await;
        let refused = assert_refused(refused, Code::NotFound, "BRANCH_NOT_FOUND");
        let absent = update(client, &absent, &["dms_integrated"]).await.unwrap_err();
        assert_eq!(wire(&refused), wire(&absent), "existence must not leak");
    }
    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::ServiceManager] {
        let refused = update(&north.member(role).await, &made, &["name"]).await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    }
    // An ADMIN of an account above acts in the account.
    let above = acme.admin.acting_in(&north.account);
    assert!(
        update(&above, &pb::Branch { dms_integrated: true, ..made }, &["dms_integrated"]).await.unwrap().dms_integrated
    );
}

#[tokio::test]
async fn a_repeated_request_gets_the_stored_answer() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let made = branch(&acme.admin, "Eindhoven", false).await.unwrap();
    let venlo = pb::Branch { name: "Venlo".to_owned(), ..made.clone() };
    let request = Updating { request_id: request_id(), ..updating(&venlo, &["name"]) };
    let answers = repeat_at_once(20, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { call(&client, &request).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    update(&acme.admin, &made, &["name"]).await.unwrap();
    let repeat = call(&acme.admin, &request).await.unwrap();
    assert!(repeat.replayed && repeat.branch == Some(venlo.clone()), "as it was then");
    assert_eq!(names(&acme.admin).await, ["Eindhoven"]);
    let other = Updating { update_mask: Some(mask(&["name", "dms_integrated"])), ..request.clone() };
    assert_refused(call(&acme.admin, &other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let absent = Updating { branch: Some(pb::Branch { id: unknown_id(), ..venlo }), ..request };
    assert_refused(call(&acme.admin, &absent).await, Code::NotFound, "BRANCH_NOT_FOUND");
}

#[tokio::test]
async fn writers_of_different_fields_all_succeed_and_one_of_many_renames_wins() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let made = branch(&acme.admin, "Eindhoven", false).await.unwrap();
    let venlo = branch(&acme.admin, "Venlo", false).await.unwrap();
    let calls = (0..16).map(|number| {
        let (client, made) = (acme.admin.clone(), made.clone());
        async move {
            let wanted = pb::Branch { name: format!("new {number}"), dms_integrated: true, ..made };
            update(&client, &wanted, &[if number % 2 == 0 { "name" } else { "dms_integrated" }]).await
        }
    });
    for answer in at_once(calls).await {
        answer.unwrap();
    }
    let listed = acme.admin.accounts().list_branches(pb::ListBranchesRequest::default()).await.unwrap().into_inner();
    assert!(listed.branches.iter().any(|branch| branch.name.starts_with("new ") && branch.dms_integrated));

    let calls = [made, venlo].map(|branch| {
        let client = acme.admin.clone();
        async move { update(&client, &pb::Branch { name: "Weert".to_owned(), ..branch }, &["name"]).await }
    });
    let (won, lost): (Vec<_>, Vec<_>) = at_once(calls).await.into_iter().partition(Result::is_ok);
    assert_eq!(won.len(), 1);
    for refused in lost {
        assert_refused(refused, Code::AlreadyExists, "BRANCH_EXISTS");
    }
}

#[tokio::test]
async fn validate_only_checks_everything_and_changes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let made = branch(&acme.admin, "Eindhoven", false).await.unwrap();
    branch(&acme.admin, "Venlo", false).await.unwrap();
    let before = rows(&world).await;
    let wanted = pb::Branch { name: "Weert".to_owned(), ..made.clone() };
    let only = Updating { validate_only: true, request_id: request_id(), ..updating(&wanted, &["name"]) };
    assert_eq!(call(&acme.admin, &only).await.unwrap().branch, Some(wanted.clone()));
    let taken = Updating { branch: Some(pb::Branch { name: "venlo".to_owned(), ..wanted }), ..only };
    assert_refused(call(&acme.admin, &taken).await, Code::AlreadyExists, "BRANCH_EXISTS");
    assert_eq!(rows(&world).await, before);
}
