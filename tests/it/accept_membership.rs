//! AcceptMembership, and which memberships need it.

use std::time::{Duration, Instant};

use clientele::grpc::pb;
use serde_json::{Value, json};
use tonic::{Code, Response, Status};

use crate::{
    access_look_ups::acts_in,
    migrate_customer_to_reseller::migrating,
    rows::rows,
    world::{
        Client, World, assert_refused, bad_fields, customer, database, metadata, principal, repeat_at_once, request_id,
        unknown_id, until, wire,
    },
};

pub fn accepting(member_id: &str) -> pb::AcceptMembershipRequest {
    pb::AcceptMembershipRequest { member_id: member_id.to_owned(), ..Default::default() }
}

pub async fn accept(
    client: &Client,
    request: pb::AcceptMembershipRequest,
) -> Result<pb::AcceptMembershipResponse, Status> {
    client.access().accept_membership(request).await.map(Response::into_inner)
}

/// The last event of a type: tenant, acting account, member, RPC, changes.
pub async fn event(world: &World, event_type: &str) -> Value {
    sqlx::query_scalar(
        "select jsonb_build_array(tenant_id, acting_account_id, member_id, rpc, changes, subject)
         from events where type = $1 order by seq desc limit 1",
    )
    .bind(event_type)
    .fetch_one(&mut world.sql().await)
    .await
    .unwrap()
}

#[tokio::test]
async fn an_accepted_membership_is_the_one_that_counts_without_a_header() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let member = north.add("max", pb::Role::Viewer).await;
    assert!(member.waiting);
    let max = world.subject("max");
    assert_refused(acts_in(&max).await, Code::InvalidArgument, "ACCOUNT_REQUIRED");

    let accepted = accept(&max, accepting(&member.member_id)).await.unwrap();
    let wanted = pb::Membership {
        tenant_id: acme.tenant.clone(),
        account_id: north.account.clone(),
        account_name: "north".to_owned(),
        role: pb::Role::Viewer.into(),
        member_id: member.member_id.clone(),
        waiting: false,
        tenant_suspended: false,
    };
    assert_eq!(accepted, pb::AcceptMembershipResponse { membership: Some(wanted.clone()), replayed: false });
    assert_eq!(acts_in(&max).await.unwrap(), north.account, "at once");
    assert_eq!(max.memberships(0).await, [wanted]);
    let listed = north.admin.access().list_members(pb::ListMembersRequest::default()).await.unwrap().into_inner();
    assert_eq!(listed.members, [pb::Member { waiting: false, ..member.clone() }]);

    let event = event(&world, "MEMBER_ACCEPTED").await;
    let rpc = "clientele.v1.AccessService/AcceptMembership";
    assert_eq!(event.as_array().unwrap()[..4], [&*acme.tenant, &north.account, &member.member_id, rpc]);
    assert_eq!(event[4]["waiting"], json!({"old": true, "new": false}));
    assert_eq!(event[5], "max", "its principal did it");
}

#[tokio::test]
async fn who_gives_a_membership_decides_whether_it_waits() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    // An operator named its admin.
    let own = acme.admin.memberships(0).await;
    assert_eq!(own.iter().map(|it| it.waiting).collect::<Vec<_>>(), [false]);
    let me = acme.admin.access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap().into_inner().principal;
    let other = Some(principal("nora"));
    for (who, waits) in [(me.clone(), false), (other, true)] {
        let account = Some(pb::Account { name: "below".to_owned(), ..Default::default() });
        let create = pb::CreateAccountRequest { account, first_admin: who.clone(), ..Default::default() };
        let made = acme.admin.accounts().create_account(create).await.unwrap().into_inner();
        assert_eq!(made.first_admin.unwrap().waiting, waits, "CreateAccount, {who:?}");

        let north = acme.child("north").await;
        let add = pb::AddMemberRequest { principal: who.clone(), role: pb::Role::Viewer.into(), ..Default::default() };
        let added = north.admin.access().add_member(add).await.unwrap().into_inner();
        assert_eq!(added.member.unwrap().waiting, waits, "AddMember, {who:?}");

        let id = north.admin.create(customer("Ada")).await.unwrap().id;
        let migrate =
            pb::MigrateCustomerToResellerRequest { first_admin: who, admin_email: String::new(), ..migrating(&id) };
        let migrated = north.admin.customers().migrate_customer_to_reseller(migrate).await.unwrap().into_inner();
        let reseller = north.admin.acting_in(&migrated.plan.unwrap().account.unwrap().id);
        let members = reseller.access().list_members(pb::ListMembersRequest::default()).await.unwrap().into_inner();
        assert_eq!(members.members.iter().map(|it| it.waiting).collect::<Vec<_>>(), [waits], "migration");
    }
}

#[tokio::test]
async fn a_membership_of_another_principal_does_not_exist() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let of_max = acme.add("max", pb::Role::Viewer).await.member_id;
    acme.add("eve", pb::Role::Viewer).await;
    let (max, eve) = (world.subject("max"), world.subject("eve"));
    let before = rows(&world).await;
    let mut refusals = Vec::new();
    for (client, id) in [
        (&eve, of_max.clone()),
        (&acme.admin, of_max.clone()),
        (&world.subject("stranger"), of_max.clone()),
        (&world.operator(), of_max.clone()),
        (&max.in_tenant(&globex.tenant), of_max.clone()),
        (&max, unknown_id()),
    ] {
        for request in [accepting(&id), pb::AcceptMembershipRequest { request_id: request_id(), ..accepting(&id) }] {
            refusals.push(wire(&assert_refused(accept(client, request).await, Code::NotFound, "MEMBERSHIP_NOT_FOUND")));
        }
    }
    assert!(refusals.windows(2).all(|pair| pair[0] == pair[1]), "{refusals:?}");
    for id in ["", "7"] {
        let refused = assert_refused(accept(&max, accepting(id)).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["member_id"]);
    }
    let narrowed = accept(&max.narrowed_to(&unknown_id()), accepting(&of_max)).await;
    assert_refused(narrowed, Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
    assert_eq!(rows(&world).await, before);
    accept(&max.in_tenant(&acme.tenant), accepting(&of_max.to_uppercase())).await.unwrap();
}

#[tokio::test]
async fn accepting_twice_changes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let member = acme.add("max", pb::Role::Viewer).await.member_id;
    let max = world.subject("max");
    let first = accept(&max, accepting(&member)).await.unwrap();
    let before = rows(&world).await;
    let asked = pb::AcceptMembershipRequest { request_id: request_id(), ..accepting(&member) };
    for request in [accepting(&member), asked.clone(), asked] {
        assert_eq!(accept(&max, request).await.unwrap(), first);
    }
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_and_is_one_of_the_memberships_tenant() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let north = acme.child("north").await;
    let [first, second, elsewhere] = [
        acme.add("max", pb::Role::Viewer).await.member_id,
        north.add("max", pb::Role::Viewer).await.member_id,
        globex.add("max", pb::Role::Viewer).await.member_id,
    ];
    let max = world.subject("max");
    let asked = pb::AcceptMembershipRequest { request_id: request_id(), ..accepting(&first) };
    let answer = accept(&max, asked.clone()).await.unwrap();
    let before = rows(&world).await;
    // Whatever account the call names: it acts in none.
    for client in [&max, &max.acting_in(&north.account), &max.in_tenant(&acme.tenant)] {
        let again = accept(client, asked.clone()).await.unwrap();
        assert_eq!(again, pb::AcceptMembershipResponse { replayed: true, ..answer.clone() });
    }
    let other = pb::AcceptMembershipRequest { member_id: second.clone(), ..asked.clone() };
    let refused = accept(&max, other).await;
    assert_refused(refused, Code::InvalidArgument, "REQUEST_ID_REUSED");
    let unknown = pb::AcceptMembershipRequest { member_id: unknown_id(), ..asked.clone() };
    assert_refused(accept(&max, unknown).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
    assert_eq!(rows(&world).await, before);
    // The key of an answer has the tenant.
    let other = pb::AcceptMembershipRequest { member_id: elsewhere, ..asked };
    assert!(!accept(&max, other).await.unwrap().replayed);
}

#[tokio::test]
async fn fifty_concurrent_calls_accept_once() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let member = acme.add("max", pb::Role::Viewer).await.member_id;
    let asked = pb::AcceptMembershipRequest { request_id: request_id(), ..accepting(&member) };
    let answers = repeat_at_once(50, || {
        let (max, asked) = (world.subject("max"), asked.clone());
        async move { accept(&max, asked).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.membership == answers[0].membership));
    let accepted = "select count(*) from events where type = 'MEMBER_ACCEPTED'";
    let events: i64 = sqlx::query_scalar(accepted).fetch_one(&mut world.sql().await).await.unwrap();
    assert_eq!(events, 1);
}

#[tokio::test]
async fn validate_only_stores_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let member = acme.add("max", pb::Role::Viewer).await.member_id;
    let max = world.subject("max");
    let before = rows(&world).await;
    let asked = pb::AcceptMembershipRequest { request_id: request_id(), ..accepting(&member) };
    let only = pb::AcceptMembershipRequest { validate_only: true, ..asked.clone() };
    let would_be = accept(&max, only).await.unwrap();
    assert!(!would_be.replayed && !would_be.membership.unwrap().waiting);
    assert_eq!(rows(&world).await, before);
    assert_refused(acts_in(&max).await, Code::InvalidArgument, "ACCOUNT_REQUIRED");
    assert!(!accept(&max, asked).await.unwrap().replayed);
}

#[tokio::test]
async fn a_call_without_a_header_says_how_many_wait_and_counts_to_a_hundred() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let max = world.subject("max");
    let waiting = async || {
        let refused = assert_refused(acts_in(&max).await, Code::InvalidArgument, "ACCOUNT_REQUIRED");
        (metadata(&refused, "waiting_memberships").unwrap(), refused.message().to_owned())
    };
    let mut ids = Vec::new();
    for number in 1..=101 {
        ids.push(acme.child("one").await.add("max", pb::Role::Viewer).await.member_id);
        if [1, 2, 99].contains(&number) {
            let (count, message) = waiting().await;
            assert_eq!(count, number.to_string());
            assert!(message.contains("accepted no membership"), "{message}");
        }
        if number >= 100 {
            assert_eq!(waiting().await.0, "100 or more");
        }
    }
    for id in &ids[..2] {
        accept(&max, accepting(id)).await.unwrap();
    }
    let (count, message) = waiting().await;
    assert_eq!(count, "99");
    assert!(message.contains("several accounts"), "{message}");
    assert_eq!(waiting().await.0, "99");
    // Of another tenant none wait, and there is no membership there whatever.
    let globex = world.tenant("globex").await;
    let elsewhere = acts_in(&max.in_tenant(&globex.tenant)).await;
    assert_refused(elsewhere, Code::PermissionDenied, "NOT_A_MEMBER");
    globex.add("max", pb::Role::Viewer).await;
    let elsewhere = acts_in(&max.in_tenant(&globex.tenant)).await;
    let refused = assert_refused(elsewhere, Code::InvalidArgument, "ACCOUNT_REQUIRED");
    assert_eq!(metadata(&refused, "waiting_memberships").as_deref(), Some("1"));
}

#[tokio::test]
async fn an_accepted_membership_counts_on_every_server_within_two_seconds() {
    let database = database().await;
    let first = World::start_with(database.clone(), |_| ()).await;
    let second = World::start_with(database, |_| ()).await;
    let acme = first.tenant("acme").await;
    let member = acme.add("max", pb::Role::Viewer).await.member_id;
    let (here, there) = (first.subject("max"), second.subject("max"));
    // The second server caches the refusal.
    assert_refused(acts_in(&there).await, Code::InvalidArgument, "ACCOUNT_REQUIRED");
    let begun = Instant::now();
    accept(&here, accepting(&member)).await.unwrap();
    until("the other server knows it", async || acts_in(&there).await.is_ok()).await;
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_repeat_after_the_member_was_removed_is_authorised_afresh() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let member = acme.add("max", pb::Role::Viewer).await.member_id;
    let max = world.subject("max");
    let asked = pb::AcceptMembershipRequest { request_id: request_id(), ..accepting(&member) };
    accept(&max, asked.clone()).await.unwrap();
    assert!(accept(&max, asked.clone()).await.unwrap().replayed);
    let remove = pb::RemoveMemberRequest { member_id: member, ..Default::default() };
    acme.admin.access().remove_member(remove).await.unwrap();
    let refused = assert_refused(accept(&max, asked).await, Code::NotFound, "MEMBERSHIP_NOT_FOUND");
    let absent = accept(&max, accepting(&unknown_id())).await.unwrap_err();
    assert_eq!(wire(&refused), wire(&absent));
}
