//! RemoveMember, and what is left of a sales person that was removed.

use std::time::{Duration, Instant};

use clientele::grpc::pb;
use serde_json::json;
use tonic::{Code, Response, Status};

use crate::{
    accept_membership::event,
    access_look_ups::acts_in,
    change_member_role::{change, changing},
    invitations::{invite, inviting},
    rows::rows,
    world::{
        Client, World, assert_refused, bad_fields, customer, database, principal, repeat_at_once, request_id,
        unknown_id, until, wire,
    },
};

pub fn removing(member_id: &str) -> pb::RemoveMemberRequest {
    pb::RemoveMemberRequest { member_id: member_id.to_owned(), ..Default::default() }
}

pub async fn remove(client: &Client, request: pb::RemoveMemberRequest) -> Result<pb::RemoveMemberResponse, Status> {
    client.access().remove_member(request).await.map(Response::into_inner)
}

#[tokio::test]
async fn a_removed_member_is_refused_at_once() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    for accepts in [false, true] {
        let member = north.add("max", pb::Role::Member).await;
        let mut max = world.subject("max");
        if accepts {
            max = max.accepting_all().await;
            acts_in(&max).await.unwrap();
        }
        let named = max.acting_in(&north.account);
        acts_in(&named).await.unwrap();
        let removed = remove(&north.admin, removing(&member.member_id)).await.unwrap();
        let wanted = pb::Member { waiting: !accepts, ..member.clone() };
        assert_eq!(removed, pb::RemoveMemberResponse { member: Some(wanted), replayed: false });
        for client in [&max, &named] {
            assert_refused(acts_in(client).await, Code::PermissionDenied, "NOT_A_MEMBER");
        }
        assert_eq!(max.memberships(0).await, []);
        let event = event(&world, "MEMBER_REMOVED").await;
        let rpc = "clientele.v1.AccessService/RemoveMember";
        assert_eq!(event.as_array().unwrap()[..4], [&*acme.tenant, &north.account, &member.member_id, rpc]);
        assert_eq!(event[4]["subject"], json!({"old": "max"}));
    }
}

#[tokio::test]
async fn a_removed_sales_person_stays_named_and_is_shown_as_gone() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let sales_person_id = north.add("sam", pb::Role::Member).await.member_id;
    let (other, named) = (north.add("nora", pb::Role::Member).await.member_id, customer("Ada"));
    let asked = pb::CreateCustomerRequest {
        customer: Some(pb::Customer { sales_person_id: sales_person_id.clone(), ..named }),
        request_id: request_id(),
        ..Default::default()
    };
    let made = north.admin.customers().create_customer(asked.clone()).await.unwrap().into_inner().customer.unwrap();
    assert!(!made.sales_person_gone);
    let bob = north.admin.create(customer("Bob")).await.unwrap();

    remove(&north.admin, removing(&sales_person_id)).await.unwrap();
    let gone = pb::Customer { sales_person_gone: true, ..made.clone() };
    assert_eq!(north.admin.get(&made.id).await.unwrap(), gone, "with the same etag");
    let repeated = north.admin.customers().create_customer(asked).await.unwrap().into_inner();
    assert!(repeated.replayed && repeated.customer.unwrap().sales_person_gone);
    let search = pb::SearchCustomersRequest { sales_person_id: sales_person_id.clone(), ..Default::default() };
    let found = north.admin.customers().search_customers(search).await.unwrap().into_inner();
    let found: Vec<_> = found.results.into_iter().map(|result| result.customer.unwrap()).collect();
    assert_eq!(found.iter().map(|it| (it.id.as_str(), it.sales_person_gone)).collect::<Vec<_>>(), [(&*made.id, true)]);
    let seen = acme.admin.get(&made.id).await.unwrap();
    assert!(seen.sales_person_gone, "also from above");
    let events = north.admin.events(&made.id).await.unwrap();
    assert!(format!("{events:?}").contains(&sales_person_id), "the history names it");
    assert!(!north.admin.get(&bob.id).await.unwrap().sales_person_gone, "it had none");

    // Other changes go on; the removed one cannot be set, and another one can.
    let renamed = pb::Customer { id: made.id.clone(), email: "a@b.example".to_owned(), ..customer("Ada") };
    assert!(north.admin.update(renamed, &["email"]).await.unwrap().sales_person_gone);
    let set = |id: &str, member: &str| pb::Customer {
        id: id.to_owned(),
        sales_person_id: member.to_owned(),
        ..Default::default()
    };
    let refused = north.admin.update(set(&bob.id, &sales_person_id), &["sales_person_id"]).await;
    let removed = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    let refused = north.admin.update(set(&bob.id, &unknown_id()), &["sales_person_id"]).await;
    assert_eq!(wire(&removed), wire(&refused.unwrap_err()), "like one that never was");
    let again = north.admin.update(set(&made.id, &other), &["sales_person_id"]).await.unwrap();
    assert!(!again.sales_person_gone);
    assert_eq!(again.sales_person_id, other);
    let cleared = north.admin.update(set(&made.id, ""), &["sales_person_id"]).await.unwrap();
    assert!(!cleared.sales_person_gone);
}

#[tokio::test]
async fn only_members_of_the_acting_account_can_be_removed() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let (above, below) =
        (acme.add("above", pb::Role::Viewer).await.member_id, north.add("below", pb::Role::Viewer).await.member_id);
    let before = rows(&world).await;
    for (client, id) in [(&north.admin, above.clone()), (&acme.admin, below), (&acme.admin, unknown_id())] {
        assert_refused(remove(client, removing(&id)).await, Code::NotFound, "MEMBER_NOT_FOUND");
    }
    let wrong = pb::RemoveMemberRequest { request_id: "x".to_owned(), ..removing("7") };
    let refused = assert_refused(remove(&acme.admin, wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["request_id", "member_id"]);
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn a_repeat_gets_the_stored_answer_although_the_member_is_gone() {
    let world = World::for_many_calls().await;
    let acme = world.tenant("acme").await;
    let member = acme.add("max", pb::Role::Viewer).await.member_id;
    let before = rows(&world).await;
    let asked = pb::RemoveMemberRequest { request_id: request_id(), ..removing(&member) };
    let only = pb::RemoveMemberRequest { validate_only: true, ..asked.clone() };
    let would_be = remove(&acme.admin, only).await.unwrap();
    assert_eq!(rows(&world).await, before);
    let answers = repeat_at_once(20, || {
        let (admin, asked) = (acme.admin.clone(), asked.clone());
        async move { remove(&admin, asked).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.member == would_be.member));
    assert_refused(remove(&acme.admin, removing(&member)).await, Code::NotFound, "MEMBER_NOT_FOUND");
    let other = pb::RemoveMemberRequest { member_id: unknown_id(), ..asked };
    assert_refused(remove(&acme.admin, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn the_last_accepted_admin_of_a_provider_stays_and_that_of_an_account_below_may_go() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let own = acme.admin.memberships(0).await.remove(0).member_id;
    acme.add("waiting", pb::Role::Admin).await;
    let north = acme.child("north").await;
    let of_north = north.add("nora", pb::Role::Admin).await.member_id;
    world.subject("nora").accepting_all().await;
    let before = rows(&world).await;
    for validate_only in [false, true] {
        let asked = pb::RemoveMemberRequest { validate_only, ..removing(&own) };
        assert_refused(remove(&acme.admin, asked).await, Code::FailedPrecondition, "LAST_ADMIN");
    }
    assert_eq!(rows(&world).await, before);
    remove(&north.admin, removing(&of_north)).await.unwrap();
    // Another tenant's admins do not count either, and its own last one stays.
    let globex = world.tenant("globex").await;
    let theirs = globex.admin.memberships(0).await.remove(0).member_id;
    assert_refused(remove(&globex.admin, removing(&theirs)).await, Code::FailedPrecondition, "LAST_ADMIN");
    world.subject("waiting").accepting_all().await;
    remove(&acme.admin, removing(&own)).await.unwrap();
    assert_refused(acts_in(&acme.admin).await, Code::PermissionDenied, "NOT_A_MEMBER");
}

#[tokio::test]
async fn a_removed_member_is_refused_on_every_server_within_two_seconds() {
    let database = database().await;
    let first = World::start_with(database.clone(), |_| ()).await;
    let second = World::start_with(database, |_| ()).await;
    let acme = first.tenant("acme").await;
    let member = acme.add("max", pb::Role::Member).await.member_id;
    first.subject("max").accepting_all().await;
    let there = second.subject("max");
    let named = there.acting_in(&acme.account);
    for client in [&there, &named] {
        acts_in(client).await.unwrap();
    }
    let begun = Instant::now();
    remove(&acme.admin, removing(&member)).await.unwrap();
    for client in [&there, &named] {
        until("the other server refuses it", async || acts_in(client).await.is_err()).await;
        assert_refused(acts_in(client).await, Code::PermissionDenied, "NOT_A_MEMBER");
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn who_was_removed_or_demoted_cannot_undo_it_on_a_server_that_does_not_know_yet() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let replica = World::start_with(world.database.clone(), |_| ()).await;
    for demoted in [false, true] {
        let subject = format!("mallory-{demoted}");
        let member = north.add(&subject, pb::Role::Admin).await.member_id;
        let mallory = replica.subject(&subject).acting_in(&north.account);
        // The replica knows it as an ADMIN.
        mallory.access().list_members(pb::ListMembersRequest::default()).await.unwrap();
        if demoted {
            change(&north.admin, changing(&member, pb::Role::Viewer)).await.unwrap();
        } else {
            remove(&north.admin, removing(&member)).await.unwrap();
        }
        let before = rows(&world).await;
        let role = pb::Role::Admin.into();
        for subject in [&*subject, "eve"] {
            let request = pb::AddMemberRequest { principal: Some(principal(subject)), role, ..Default::default() };
            let refused = mallory.access().add_member(request).await.unwrap_err();
            assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
        }
        let refused = change(&mallory, changing(&member, pb::Role::Admin)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        let refused = invite(&mallory, inviting("mallory@north.example", pb::Role::Admin)).await.unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied, "{refused:?}");
        assert_eq!(rows(&world).await, before);
    }
}
