//! ListInvitations, and how long invitations are kept.

use clientele::grpc::pb;
use tonic::Code;

use crate::{
    invitations::{execute, invited, listed},
    world::{Client, World, assert_refused, bad_fields},
};

async fn page(client: &Client, size: i32, token: &str) -> Result<pb::ListInvitationsResponse, tonic::Status> {
    let request = pb::ListInvitationsRequest { page_size: size, page_token: token.to_owned(), ..Default::default() };
    Ok(client.access().list_invitations(request).await?.into_inner())
}

#[tokio::test]
async fn pages_show_each_invitation_once_the_newest_first_while_others_are_added() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let mut made = Vec::new();
    for number in 0..7 {
        made.push(invited(&north, &format!("n{number}@north.example")).await.invitation_id);
    }
    invited(&acme, "other@acme.example").await;
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = page(&north.admin, 3, &token).await.unwrap();
        assert!(page.invitations.len() <= 3);
        seen.extend(page.invitations.into_iter().map(|invitation| invitation.invitation_id));
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
        invited(&north, &format!("late{}@north.example", seen.len())).await;
    }
    made.reverse();
    assert_eq!(seen, made);
}

#[tokio::test]
async fn a_token_is_bound_to_its_account() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    for number in 0..2 {
        invited(&north, &format!("n{number}@north.example")).await;
    }
    let token = page(&north.admin, 1, "").await.unwrap().next_page_token;
    page(&north.admin, 5, &token).await.unwrap();
    for (client, token) in [(&acme.admin, token.as_str()), (&north.admin, "x")] {
        assert_refused(page(client, 1, token).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    let refused = assert_refused(page(&north.admin, -1, "").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["page_size"]);
}

#[tokio::test]
async fn an_invitation_is_deleted_thirty_days_after_it_has_ended() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for (email, old) in [
        ("accepted@x.example", "state = 'ACCEPTED', ended_at = now() - interval '31 days'"),
        ("revoked@x.example", "state = 'REVOKED', ended_at = now() - interval '29 days'"),
        ("expired@x.example", "state = 'SENT', expires_at = now() - interval '31 days'"),
        ("open@x.example", "state = 'PENDING', created_at = now() - interval '99 days'"),
    ] {
        invited(&acme, email).await;
        execute(&world, &format!("update invitations set {old} where email = '{email}'")).await;
    }
    // The clean-up is no event: what happened to each is in the events that stay.
    let events = || async {
        let request = pb::ListAccountEventsRequest { page_size: 100, ..Default::default() };
        acme.admin.accounts().list_account_events(request).await.unwrap().into_inner().events
    };
    let before = events().await;
    world.server.services().sweep().await.unwrap();
    assert_eq!(events().await, before);
    let created = |event: &&pb::AccountEvent| event.r#type() == pb::AccountEventType::InvitationCreated;
    assert_eq!(before.iter().filter(created).count(), 4);
    let mut left: Vec<_> = listed(&acme.admin).await.into_iter().map(|invitation| invitation.email).collect();
    left.sort();
    assert_eq!(left, ["open@x.example", "revoked@x.example"]);
}

#[tokio::test]
async fn states_select_invitations_as_they_are_now_and_bind_the_token() {
    use pb::InvitationState as State;
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for (email, set) in [
        ("pending@x.example", "state = 'PENDING'"),
        ("sent@x.example", "state = 'SENT'"),
        ("expired@x.example", "state = 'SENT', expires_at = now()"),
        ("late@x.example", "state = 'PENDING', expires_at = now()"),
        ("accepted@x.example", "state = 'ACCEPTED', expires_at = now()"),
        ("revoked@x.example", "state = 'REVOKED'"),
        ("failed@x.example", "state = 'FAILED', expires_at = now()"),
    ] {
        invited(&acme, email).await;
        execute(&world, &format!("update invitations set {set} where email = '{email}'")).await;
    }
    let found = async |states: &[State]| {
        let states = states.iter().map(|state| i32::from(*state)).collect();
        let request = pb::ListInvitationsRequest { states, ..Default::default() };
        let listed = acme.admin.access().list_invitations(request).await.unwrap().into_inner().invitations;
        let names = listed.iter().map(|invitation| invitation.email.split('@').next().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    for (states, names) in [
        (&[State::Pending][..], &["pending"][..]),
        (&[State::Sent], &["sent"]),
        (&[State::Expired], &["late", "expired"]),
        (&[State::Accepted], &["accepted"]),
        (&[State::Revoked, State::Failed, State::Failed], &["failed", "revoked"]),
        (&[State::Sent, State::Pending], &["sent", "pending"]),
    ] {
        assert_eq!(found(states).await, names, "{states:?}");
    }
    assert_eq!(found(&[]).await.len(), 7);
    let states = vec![State::Expired.into()];
    let first = pb::ListInvitationsRequest { page_size: 1, states, ..Default::default() };
    let token = acme.admin.access().list_invitations(first.clone()).await.unwrap().into_inner().next_page_token;
    let second = pb::ListInvitationsRequest { page_token: token.clone(), ..first };
    let second = acme.admin.access().list_invitations(second).await.unwrap().into_inner();
    assert_eq!((second.invitations.len(), second.next_page_token.as_str()), (1, ""));
    assert_refused(page(&acme.admin, 1, &token).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let wrong = pb::ListInvitationsRequest { states: vec![1, 0, 99], ..Default::default() };
    let refused = acme.admin.access().list_invitations(wrong).await;
    assert_eq!(
        bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS")),
        ["states[1]", "states[2]"]
    );
}
