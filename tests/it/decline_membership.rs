//! DeclineMembership.

use clientele::grpc::pb;
use serde_json::json;
use tonic::{Code, Response, Status};

use crate::{
    accept_membership::{accept, accepting, event},
    access_look_ups::acts_in,
    rows::rows,
    world::{Client, World, assert_refused, bad_fields, database, repeat_at_once, request_id, unknown_id, until, wire},
};

pub fn declining(member_id: &str) -> pb::DeclineMembershipRequest {
    pb::DeclineMembershipRequest { member_id: member_id.to_owned(), ..Default::default() }
}

pub async fn decline(
    client: &Client,
    request: pb::DeclineMembershipRequest,
) -> Result<pb::DeclineMembershipResponse, Status> {
    client.access().decline_membership(request).await.map(Response::into_inner)
}

#[tokio::test]
async fn a_declined_membership_is_gone_at_once_whether_it_was_accepted_or_not() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for accepts in [false, true] {
        let north = acme.child("north").await;
        let member = north.add("max", pb::Role::Member).await.member_id;
        let max = world.subject("max");
        if accepts {
            accept(&max, accepting(&member)).await.unwrap();
        }
        assert_eq!(acts_in(&max.acting_in(&north.account)).await.unwrap(), north.account);
        let declined = decline(&max, declining(&member)).await.unwrap();
        let was = declined.membership.unwrap();
        assert_eq!((was.member_id, was.account_id, was.waiting), (member.clone(), north.account.clone(), !accepts));
        for client in [max.clone(), max.acting_in(&north.account)] {
            assert_refused(acts_in(&client).await, Code::PermissionDenied, "NOT_A_MEMBER");
        }
        assert_eq!(max.memberships(0).await, []);
        let listed = north.admin.access().list_members(pb::ListMembersRequest::default()).await.unwrap().into_inner();
        assert_eq!(listed.members, []);

        let event = event(&world, "MEMBER_DECLINED").await;
        let rpc = "clientele.v1.AccessService/DeclineMembership";
        assert_eq!(event.as_array().unwrap()[..4], [&*acme.tenant, &north.account, &member, rpc]);
        assert_eq!(event[4]["subject"], json!({"old": "max"}), "the history keeps who it was");
        assert_eq!(event[4]["role"], json!({"old": "MEMBER"}));
        // It may be named again.
        assert_ne!(north.add("max", pb::Role::Viewer).await.member_id, member);
        let again = max.memberships(0).await.remove(0).member_id;
        decline(&max, declining(&again)).await.unwrap();
    }
}

#[tokio::test]
async fn a_membership_of_another_principal_does_not_exist() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let of_max = acme.add("max", pb::Role::Viewer).await.member_id;
    acme.add("eve", pb::Role::Viewer).await;
    let max = world.subject("max");
    let before = rows(&world).await;
    let mut refusals = Vec::new();
    for (client, id) in [
        (&world.subject("eve"), of_max.clone()),
        (&acme.admin, of_max.clone()),
        (&world.subject("stranger"), of_max.clone()),
        (&max.in_tenant(&globex.tenant), of_max.clone()),
        (&max, unknown_id()),
    ] {
        let refused = decline(client, declining(&id)).await;
        refusals.push(wire(&assert_refused(refused, Code::NotFound, "MEMBERSHIP_NOT_FOUND")));
    }
    assert!(refusals.windows(2).all(|pair| pair[0] == pair[1]), "{refusals:?}");
    let refused = assert_refused(decline(&max, declining("7")).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["member_id"]);
    let narrowed = decline(&max.narrowed_to(&unknown_id()), declining(&of_max)).await;
    assert_refused(narrowed, Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_although_the_membership_is_gone() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let member = acme.add("max", pb::Role::Viewer).await.member_id;
    let max = world.subject("max");
    let asked = pb::DeclineMembershipRequest { request_id: request_id(), ..declining(&member) };
    let only = pb::DeclineMembershipRequest { validate_only: true, ..asked.clone() };
    let before = rows(&world).await;
    let would_be = decline(&max, only.clone()).await.unwrap();
    assert_eq!(rows(&world).await, before);
    let answers = repeat_at_once(20, || {
        let (max, asked) = (max.clone(), asked.clone());
        async move { decline(&max, asked).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.membership == would_be.membership));
    let after = rows(&world).await;
    assert!(decline(&max, asked.clone()).await.unwrap().replayed);
    assert_refused(decline(&max, only).await, Code::NotFound, "MEMBERSHIP_NOT_FOUND");
    assert_refused(decline(&max, declining(&member)).await, Code::NotFound, "MEMBERSHIP_NOT_FOUND");
    let other = pb::DeclineMembershipRequest { member_id: unknown_id(), ..asked };
    assert_refused(decline(&max, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(rows(&world).await, after);
}

#[tokio::test]
async fn the_last_accepted_admin_of_a_provider_stays() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let own = acme.admin.memberships(0).await.remove(0).member_id;
    // Others do not count: one that waits, one with a lower role, and an admin of an account below.
    acme.add("waiting", pb::Role::Admin).await;
    acme.add("manager", pb::Role::ServiceManager).await;
    world.subject("manager").accepting_all().await;
    let north = acme.child("north").await;
    let of_north = north.add("nora", pb::Role::Admin).await.member_id;
    let nora = world.subject("nora").accepting_all().await;
    let before = rows(&world).await;
    for validate_only in [false, true] {
        let asked = pb::DeclineMembershipRequest { validate_only, ..declining(&own) };
        assert_refused(decline(&acme.admin, asked).await, Code::FailedPrecondition, "LAST_ADMIN");
    }
    assert_eq!(rows(&world).await, before);
    // An account below may lose its last one.
    decline(&nora, declining(&of_north)).await.unwrap();
    world.subject("waiting").accepting_all().await;
    decline(&acme.admin, declining(&own)).await.unwrap();
    let waiting = world.subject("waiting");
    let last = waiting.memberships(0).await.remove(0).member_id;
    assert_refused(decline(&waiting, declining(&last)).await, Code::FailedPrecondition, "LAST_ADMIN");
}

#[tokio::test]
async fn a_declined_membership_ends_on_every_server_within_two_seconds() {
    let database = database().await;
    let first = World::start_with(database.clone(), |_| ()).await;
    let second = World::start_with(database, |_| ()).await;
    let acme = first.tenant("acme").await;
    let member = acme.add("max", pb::Role::Viewer).await.member_id;
    let (here, there) = (first.subject("max"), second.subject("max").acting_in(&acme.account));
    acts_in(&there).await.unwrap();
    let begun = std::time::Instant::now();
    decline(&here, declining(&member)).await.unwrap();
    until("the other server refuses it", async || acts_in(&there).await.is_err()).await;
    assert!(begun.elapsed() < std::time::Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_refused(acts_in(&there).await, Code::PermissionDenied, "NOT_A_MEMBER");
}

#[tokio::test]
async fn a_tenant_of_an_older_release_keeps_its_waiting_first_admin_which_the_sweeper_accepts() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let own = acme.admin.memberships(0).await.remove(0);
    // What an older release writes during a rollout: it knows no consent.
    let older = "update members set accepted_at = null where tenant_id = $1::uuid";
    sqlx::query(older).bind(&acme.tenant).execute(&mut world.sql().await).await.unwrap();
    let older = "update principals set accepted = false where tenant_id = $1::uuid";
    sqlx::query(older).bind(&acme.tenant).execute(&mut world.sql().await).await.unwrap();
    let admin = acme.admin.acting_in(&acme.account);
    assert_refused(decline(&admin, declining(&own.member_id)).await, Code::FailedPrecondition, "LAST_ADMIN");
    assert!(admin.memberships(0).await[0].waiting);

    // Who is named later waits for its own consent.
    let later = acme.add("later", pb::Role::Admin).await;
    let of_globex = globex.add("later", pb::Role::Admin).await;
    world.server.services().sweep().await.unwrap();
    assert!(!admin.memberships(0).await[0].waiting);
    let waiting: Vec<String> =
        sqlx::query_scalar("select member_id::text from members where accepted_at is null order by created_at")
            .fetch_all(&mut world.sql().await)
            .await
            .unwrap();
    assert_eq!(waiting, [later.member_id, of_globex.member_id]);
    let event = event(&world, "MEMBER_ACCEPTED").await;
    assert_eq!((event[0].as_str(), event[2].as_str()), (Some(&*acme.tenant), Some(&*own.member_id)));
    let before = rows(&world).await;
    world.server.services().sweep().await.unwrap();
    assert_eq!(rows(&world).await, before, "there is nothing more to accept");
}

#[tokio::test]
async fn where_none_has_accepted_one_of_those_that_wait_stays() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let own = acme.admin.memberships(0).await.remove(0).member_id;
    let other = acme.add("other", pb::Role::Admin).await.member_id;
    let all_wait = "update members set accepted_at = null";
    sqlx::query(all_wait).execute(&mut world.sql().await).await.unwrap();
    decline(&world.subject("other"), declining(&other)).await.unwrap();
    assert_refused(decline(&acme.admin, declining(&own)).await, Code::FailedPrecondition, "LAST_ADMIN");
}
