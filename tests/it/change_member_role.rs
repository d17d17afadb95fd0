//! ChangeMemberRole.

use std::time::{Duration, Instant};

use clientele::grpc::pb;
use serde_json::json;
use tonic::{Code, Response, Status};

use crate::{
    accept_membership::event,
    decline_membership::{decline, declining},
    remove_member::{remove, removing},
    rows::rows,
    world::{
        Client, World, assert_refused, at_once, bad_fields, customer, database, repeat_at_once, request_id, rounds,
        unknown_id, until,
    },
};

pub fn changing(member_id: &str, role: pb::Role) -> pb::ChangeMemberRoleRequest {
    pb::ChangeMemberRoleRequest { member_id: member_id.to_owned(), role: role.into(), ..Default::default() }
}

pub async fn change(
    client: &Client,
    request: pb::ChangeMemberRoleRequest,
) -> Result<pb::ChangeMemberRoleResponse, Status> {
    client.access().change_member_role(request).await.map(Response::into_inner)
}

#[tokio::test]
async fn the_new_role_counts_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let member = north.add("max", pb::Role::Viewer).await;
    let max = world.subject("max").acting_in(&north.account);
    assert_refused(max.create(customer("Ada")).await, Code::PermissionDenied, "ROLE_TOO_LOW");

    let changed = change(&north.admin, changing(&member.member_id, pb::Role::Member)).await.unwrap();
    let wanted = pb::Member { role: pb::Role::Member.into(), ..member.clone() };
    assert_eq!(changed, pb::ChangeMemberRoleResponse { member: Some(wanted.clone()), replayed: false });
    assert!(wanted.waiting, "whoever changes it, it still waits");
    max.create(customer("Ada")).await.unwrap();
    let listed = north.admin.access().list_members(pb::ListMembersRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.members, [wanted]);

    let event = event(&world, "MEMBER_ROLE_CHANGED").await;
    let rpc = "clientele.v1.AccessService/ChangeMemberRole";
    assert_eq!(event.as_array().unwrap()[..4], [&*acme.tenant, &north.account, &member.member_id, rpc]);
    assert_eq!(event[4]["role"], json!({"old": "VIEWER", "new": "MEMBER"}));

    let max = max.accepting_all().await;
    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::Viewer] {
        change(&north.admin, changing(&member.member_id, role)).await.unwrap();
        assert_eq!(max.create(customer("Bob")).await.is_ok(), role == pb::Role::Member, "{role:?}");
    }
}

#[tokio::test]
async fn the_same_role_changes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let own = acme.admin.memberships(0).await.remove(0).member_id;
    let member = acme.add("max", pb::Role::Viewer).await;
    let before = rows(&world).await;
    let asked = changing(&member.member_id, pb::Role::Viewer);
    for request in [asked.clone(), pb::ChangeMemberRoleRequest { request_id: request_id(), ..asked }] {
        assert_eq!(change(&acme.admin, request).await.unwrap().member.as_ref(), Some(&member));
    }
    change(&acme.admin, changing(&own, pb::Role::Admin)).await.expect("the last admin may stay what it is");
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn every_error_is_reported_at_once_and_only_own_members_exist() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let member = north.add("max", pb::Role::Viewer).await.member_id;
    let before = rows(&world).await;
    let wrong = pb::ChangeMemberRoleRequest {
        member_id: "7".to_owned(),
        role: 99,
        request_id: "x".to_owned(),
        validate_only: false,
    };
    let none = pb::ChangeMemberRoleRequest::default();
    for (request, wanted) in [(wrong, vec!["request_id", "member_id", "role"]), (none, vec!["member_id", "role"])] {
        let refused = assert_refused(change(&acme.admin, request).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), wanted);
    }
    // A member of an account below is changed there, where it is listed.
    for id in [&member, &unknown_id()] {
        let refused = change(&acme.admin, changing(id, pb::Role::Member)).await;
        assert_refused(refused, Code::NotFound, "MEMBER_NOT_FOUND");
    }
    assert_eq!(rows(&world).await, before);
    change(&acme.admin.acting_in(&north.account), changing(&member, pb::Role::Member)).await.unwrap();
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_and_validate_only_stores_nothing() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let member = acme.add("max", pb::Role::Viewer).await.member_id;
    let before = rows(&world).await;
    let asked = pb::ChangeMemberRoleRequest { request_id: request_id(), ..changing(&member, pb::Role::Admin) };
    let only = pb::ChangeMemberRoleRequest { validate_only: true, ..asked.clone() };
    let would_be = change(&acme.admin, only).await.unwrap();
    assert_eq!(rows(&world).await, before);

    let answers = repeat_at_once(20, || {
        let (admin, asked) = (acme.admin.clone(), asked.clone());
        async move { change(&admin, asked).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.member == would_be.member));
    let after = rows(&world).await;
    for (client, request) in [
        (&acme.admin, pb::ChangeMemberRoleRequest { role: pb::Role::Member.into(), ..asked.clone() }),
        (&acme.admin, pb::ChangeMemberRoleRequest { member_id: unknown_id(), ..asked.clone() }),
        (&north.admin, asked),
    ] {
        assert_refused(change(client, request).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    }
    assert_eq!(rows(&world).await, after);
}

#[tokio::test]
async fn the_last_accepted_admin_of_a_provider_keeps_its_role_and_one_below_need_not() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let own = acme.admin.memberships(0).await.remove(0).member_id;
    acme.add("waiting", pb::Role::Admin).await;
    let north = acme.child("north").await;
    let of_north = north.add("nora", pb::Role::Admin).await.member_id;
    world.subject("nora").accepting_all().await;
    let before = rows(&world).await;
    for validate_only in [false, true] {
        let asked = pb::ChangeMemberRoleRequest { validate_only, ..changing(&own, pb::Role::ServiceManager) };
        assert_refused(change(&acme.admin, asked).await, Code::FailedPrecondition, "LAST_ADMIN");
    }
    assert_eq!(rows(&world).await, before);
    change(&north.admin, changing(&of_north, pb::Role::Viewer)).await.unwrap();
    world.subject("waiting").accepting_all().await;
    change(&acme.admin, changing(&own, pb::Role::ServiceManager)).await.unwrap();
}

/// One of two admins takes the other away, or goes itself.
async fn take_away(client: Client, own: String, other: String, way: u32) -> Result<(), Status> {
    match way {
        0 => remove(&client, removing(&other)).await.map(drop),
        1 => change(&client, changing(&other, pb::Role::Viewer)).await.map(drop),
        2 => decline(&client, declining(&own)).await.map(drop),
        _ => remove(&client, removing(&own)).await.map(drop),
    }
}

#[tokio::test]
async fn of_the_last_two_admins_one_stays_whatever_happens_at_once() {
    let world = World::in_production().await;
    for round in 0..rounds(16) {
        let acme = world.tenant("acme").await;
        let ada = acme.admin.memberships(0).await.remove(0).member_id;
        let bob = acme.add(&format!("bob-{round}"), pb::Role::Admin).await.member_id;
        let client = world.subject(&format!("bob-{round}")).accepting_all().await.acting_in(&acme.account);
        let [one, other] = [(&acme.admin, &ada, &bob), (&client, &bob, &ada)];
        let answers = at_once(
            [one, other]
                .into_iter()
                .zip([round % 4, round / 4 % 4])
                .map(|((client, own, other), way)| take_away(client.clone(), own.clone(), other.clone(), way)),
        )
        .await;
        let leaders = "select count(*) from members
                       where account_id = $1::uuid and role = 'ADMIN' and accepted_at is not null";
        let left: i64 =
            sqlx::query_scalar(leaders).bind(&acme.account).fetch_one(&mut world.sql().await).await.unwrap();
        assert_eq!(left, 1, "round {round}: {answers:?}");
        let refused = answers.into_iter().filter_map(Result::err).next();
        if let Some(refused) = refused {
            let reason = crate::world::reason(&refused);
            // Or it met what the other call had done already.
            assert!(
                ["LAST_ADMIN", "ROLE_TOO_LOW", "NOT_A_MEMBER", "MEMBERSHIP_NOT_FOUND", "MEMBER_NOT_FOUND"]
                    .contains(&reason.as_str()),
                "{refused:?}"
            );
        }
    }
}

#[tokio::test]
async fn the_new_role_counts_on_every_server_within_two_seconds() {
    let database = database().await;
    let first = World::start_with(database.clone(), |_| ()).await;
    let second = World::start_with(database, |_| ()).await;
    let acme = first.tenant("acme").await;
    let member = acme.add("max", pb::Role::Member).await.member_id;
    let there = second.subject("max").acting_in(&acme.account);
    there.create(customer("Ada")).await.unwrap();
    let begun = Instant::now();
    change(&acme.admin, changing(&member, pb::Role::Viewer)).await.unwrap();
    until("the other server refuses it", async || there.create(customer("Bob")).await.is_err()).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_refused(there.create(customer("Bob")).await, Code::PermissionDenied, "ROLE_TOO_LOW");
}
