//! ListInvitations, and how long invitations are kept.

use clientele::grpc::pb;
use tonic::Code;

use crate::{
    invitations::{execute, invited, listed},
    world::{Client, World, assert_refused, bad_fields},
};

async fn page(client: &Client, size: i32, token: &str) -> Result<pb::ListInvitationsResponse, tonic::Status> {
    let request = pb::ListInvitationsRequest { page_size: size, page_token: token.to_owned() };
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
    world.server.services().sweep().await.unwrap();
    let mut left: Vec<_> = listed(&acme.admin).await.into_iter().map(|invitation| invitation.email).collect();
    left.sort();
    assert_eq!(left, ["open@x.example", "revoked@x.example"]);
}
