//! ListMembers.

use clientele::grpc::pb;
use tonic::{Code, Status};

use crate::world::{Client, World, assert_refused, bad_fields, principal};

async fn page(client: &Client, inherited: bool, size: i32, token: &str) -> Result<pb::ListMembersResponse, Status> {
    let request = pb::ListMembersRequest {
        include_inherited: inherited,
        page_size: size,
        page_token: token.to_owned(),
        ..Default::default()
    };
    Ok(client.access().list_members(request).await?.into_inner())
}

/// Account and subject of all members, page by page. After each page the next of `more` is added, if there is one.
async fn all(client: &Client, inherited: bool, size: i32, mut late: Vec<(Client, &str)>) -> Vec<(String, String)> {
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let listed = page(client, inherited, size, &token).await.unwrap();
        assert!(listed.members.len() <= usize::try_from(size).unwrap());
        let account_and_subject = |member: pb::Member| (member.account_id, member.principal.unwrap().subject);
        seen.extend(listed.members.into_iter().map(account_and_subject));
        token = listed.next_page_token;
        if token.is_empty() {
            return seen;
        }
        if let Some((admin, subject)) = late.pop() {
            let asked = pb::AddMemberRequest {
                principal: Some(principal(subject)),
                role: pb::Role::Viewer.into(),
                ..Default::default()
            };
            admin.access().add_member(asked).await.unwrap();
        }
    }
}

fn in_account(account: &str, subjects: &[&str]) -> Vec<(String, String)> {
    subjects.iter().map(|subject| (account.to_owned(), (*subject).to_owned())).collect()
}

#[tokio::test]
async fn members_are_listed_by_issuer_and_subject_byte_by_byte() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    for subject in ["zoe", "adam", "Zed", "Ömer", "a b"] {
        north.add(subject, pb::Role::Viewer).await;
    }
    let first = pb::Principal { issuer: "http://a.example".to_owned(), subject: "zzz".to_owned() };
    let asked = pb::AddMemberRequest { principal: Some(first), role: pb::Role::Admin.into(), ..Default::default() };
    let added = north.admin.access().add_member(asked).await.unwrap().into_inner().member.unwrap();

    let listed = page(&north.member(pb::Role::Viewer).await, false, 0, "").await.unwrap().members;
    assert_eq!(listed[0], added, "complete, as it was added");
    let subjects: Vec<_> = listed.iter().map(|member| member.principal.clone().unwrap().subject).collect();
    let (viewer, others): (Vec<_>, Vec<_>) = subjects.into_iter().partition(|subject| subject.starts_with("member-"));
    assert_eq!((viewer.len(), others), (1, ["zzz", "Zed", "a b", "adam", "zoe", "Ömer"].map(str::to_owned).to_vec()));
}

#[tokio::test]
async fn inherited_members_follow_the_accounts_own_nearest_account_first() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let deep = north.child("deep").await;
    for (test_account, subjects) in [
        (&acme, ["a", "x"].as_slice()),
        (&north, &["b", "x", "y"]),
        (&deep, &["c", "x"]),
        (&south, &["s"]),
        (&globex, &["g"]),
    ] {
        for subject in subjects {
            test_account.add(subject, pb::Role::Viewer).await;
        }
    }
    let admin =
        page(&acme.admin, false, 0, "").await.unwrap().members.into_iter().map(|it| it.principal.unwrap().subject);
    let admin = admin.into_iter().find(|subject| subject.starts_with("acme-admin")).unwrap();
    let own = in_account(&deep.account, &["c", "x"]);
    assert_eq!(all(&deep.admin, false, 10, Vec::new()).await, own);
    let mut whole = own.clone();
    whole.extend(in_account(&north.account, &["b", "x", "y"]));
    whole.extend(in_account(&acme.account, &["a", &admin, "x"]));
    for size in [1, 2, 3, 7, 8, 1_000] {
        assert_eq!(all(&deep.admin, true, size, Vec::new()).await, whole, "{size} a page");
    }
    assert_eq!(all(&acme.admin, true, 2, Vec::new()).await, whole[5..], "a provider inherits no members");
}

#[tokio::test]
async fn pages_show_each_member_once_while_others_are_added() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    for number in 0..6 {
        north.add(&format!("m{number}"), pb::Role::Viewer).await;
    }
    // Members before the current position are not listed, members after it are.
    let late = vec![(north.admin.clone(), "m5b"), (north.admin.clone(), "a"), (acme.admin.clone(), "b")];
    let seen = all(&north.admin, true, 2, late).await;
    let own: Vec<_> = seen.iter().filter(|(account, _)| *account == north.account).cloned().collect();
    assert_eq!(own, in_account(&north.account, &["m0", "m1", "m2", "m3", "m4", "m5", "m5b"]));
    assert_eq!(seen.len(), 9, "and above it the admin and b: {seen:?}");
}

#[tokio::test]
async fn a_token_is_bound_to_its_account_and_query() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let north = acme.child("north").await;
    for test_account in [&acme, &north, &globex] {
        test_account.add("a", pb::Role::Viewer).await;
        test_account.add("b", pb::Role::Viewer).await;
    }
    let token = page(&north.admin, true, 1, "").await.unwrap().next_page_token;
    page(&north.admin, true, 5, &token).await.unwrap();
    for (client, inherited) in [(&north.admin, false), (&acme.admin, true), (&globex.admin, true)] {
        let refused = page(client, inherited, 1, &token).await;
        assert_refused(refused, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
    assert_refused(page(&north.admin, true, 1, "x").await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let refused = assert_refused(page(&north.admin, true, -2, &token).await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["page_size"]);
}

#[tokio::test]
async fn a_subject_and_an_issuer_select_members_and_bind_the_token() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let of = |issuer: &str| pb::Principal { issuer: issuer.to_owned(), subject: "zoe".to_owned() };
    for (account, issuer) in [(&acme, ""), (&north, ""), (&north, "http://a.example")] {
        let role = pb::Role::Viewer.into();
        let asked = pb::AddMemberRequest { principal: Some(of(issuer)), role, ..Default::default() };
        account.admin.access().add_member(asked).await.unwrap();
    }
    north.add("adam", pb::Role::Viewer).await;
    let found = async |request: pb::ListMembersRequest| {
        let listed = north.admin.access().list_members(request).await.unwrap().into_inner();
        let members = listed.members.into_iter().map(|member| {
            let principal = member.principal.unwrap();
            (member.account_id, principal.issuer, principal.subject)
        });
        members.collect::<Vec<_>>()
    };
    let zoe = || pb::ListMembersRequest { subject: "zoe".to_owned(), ..Default::default() };
    let (own, other) = (crate::world::ISSUER, "http://a.example");
    let at = |account: &str, issuer: &str| (account.to_owned(), issuer.to_owned(), "zoe".to_owned());
    let mut in_north = vec![at(&north.account, own), at(&north.account, other)];
    in_north.sort();
    assert_eq!(found(zoe()).await, in_north);
    let inherited = pb::ListMembersRequest { include_inherited: true, ..zoe() };
    assert_eq!(found(inherited.clone()).await, [in_north, vec![at(&acme.account, own)]].concat());
    let issuer = other.to_owned();
    assert_eq!(
        found(pb::ListMembersRequest { issuer: issuer.clone(), ..inherited }).await,
        [at(&north.account, other)]
    );
    let all_of = pb::ListMembersRequest { issuer, ..Default::default() };
    assert_eq!(found(all_of).await, [at(&north.account, other)]);
    assert_eq!(found(pb::ListMembersRequest { subject: "zo".to_owned(), ..Default::default() }).await, []);

    let first = pb::ListMembersRequest { page_size: 1, ..zoe() };
    let token = north.admin.access().list_members(first).await.unwrap().into_inner().next_page_token;
    assert_eq!(found(pb::ListMembersRequest { page_token: token.clone(), ..zoe() }).await.len(), 1);
    assert_refused(page(&north.admin, false, 1, &token).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    let wrong = pb::ListMembersRequest { subject: "x".repeat(256), issuer: "a b".to_owned(), ..Default::default() };
    let refused = north.admin.access().list_members(wrong).await;
    assert_eq!(bad_fields(&assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS")), ["issuer", "subject"]);
}
