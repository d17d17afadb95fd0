//! SuspendAccount and ResumeAccount. `matrix.rs` calls every RPC in a suspended account.

use clientele::grpc::pb;
use tonic::{Code, Status};

use crate::{
    invitations::{invited, token_by_key},
    rows::rows,
    world::{
        Client, SERVICE, TestAccount, World, assert_refused, bad_fields, customer, manual_approval, metadata,
        repeat_at_once, request_id, unknown_id, until, wire,
    },
};

/// Suspends an account.
pub async fn suspend(client: &Client, id: &str) -> Result<pb::SuspendAccountResponse, Status> {
    let request = pb::SuspendAccountRequest { account_id: id.to_owned(), ..Default::default() };
    Ok(client.accounts().suspend_account(request).await?.into_inner())
}

/// Resumes an account.
pub async fn resume(client: &Client, id: &str) -> Result<pb::ResumeAccountResponse, Status> {
    let request = pb::ResumeAccountRequest { account_id: id.to_owned(), ..Default::default() };
    Ok(client.accounts().resume_account(request).await?.into_inner())
}

async fn state(client: &Client) -> pb::AccountState {
    let read = client.accounts().get_account(pb::GetAccountRequest::default()).await.unwrap().into_inner();
    read.account.unwrap().state()
}

/// A tenant with an account, one below that, and a sibling.
async fn fixture(world: &World) -> (TestAccount, TestAccount, TestAccount, TestAccount) {
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let deep = north.child("deep").await;
    (acme, north, deep, south)
}

#[tokio::test]
async fn mutations_in_a_suspended_account_and_below_are_refused_and_reads_go_on() {
    let world = World::start().await;
    let (acme, north, deep, south) = fixture(&world).await;
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    let eve = deep.admin.create(customer("Eve")).await.unwrap();
    assert!(!ada.allowed_actions.is_empty());
    let answer = suspend(&acme.admin, &north.account).await.unwrap().account.unwrap();
    assert_eq!((answer.state(), answer.suspend_time.is_some()), (pb::AccountState::Suspended, true));

    for (client, id) in [(&north.admin, &ada.id), (&deep.admin, &eve.id)] {
        let read = client.get(id).await.unwrap();
        assert!(read.allowed_actions.is_empty(), "{:?}", read.allowed_actions);
        client.events(id).await.unwrap();
        let before = rows(&world).await;
        for refused in [
            client.approve(id).await.map(drop),
            client.create(customer("New")).await.map(drop),
            client.tag(&[id], &["vip"], &[]).await.map(drop),
            client.archive(&[id]).await.map(drop),
        ] {
            assert_refused(refused, Code::FailedPrecondition, "ACCOUNT_SUSPENDED");
        }
        assert_eq!(rows(&world).await, before);
    }
    assert_eq!(state(&north.admin).await, pb::AccountState::Suspended);
    assert_eq!(state(&deep.admin).await, pb::AccountState::SuspendedAbove);
    assert_eq!(state(&acme.admin).await, pb::AccountState::Active);
    let listed = pb::ListAccountsRequest { include_descendants: true, ..Default::default() };
    let listed = acme.admin.accounts().list_accounts(listed).await.unwrap().into_inner().accounts;
    let states: Vec<_> = listed.iter().map(|account| (account.name.as_str(), account.state())).collect();
    assert_eq!(
        states,
        [
            ("north", pb::AccountState::Suspended),
            ("south", pb::AccountState::Active),
            ("deep", pb::AccountState::SuspendedAbove)
        ]
    );

    // The accounts above work with its customers, transfers included, and so does the sibling with its own.
    let seen = acme.admin.get(&ada.id).await.unwrap();
    assert!(seen.allowed_actions.contains(&"ApproveCustomer".to_owned()));
    acme.admin.approve(&ada.id).await.unwrap();
    acme.admin.transfer(&[&ada.id, &eve.id], &south.account).await.unwrap();
    acme.admin.transfer(&[&ada.id], &north.account).await.unwrap();
    south.admin.create(customer("South")).await.unwrap();
    let created = pb::CreateAccountRequest {
        account: Some(pb::Account { name: "new".to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let refused = north.admin.accounts().create_account(created).await;
    assert_refused(refused, Code::FailedPrecondition, "ACCOUNT_SUSPENDED");

    resume(&acme.admin, &north.account).await.unwrap();
    north.admin.archive(&[&ada.id]).await.unwrap();
    deep.admin.create(customer("Again")).await.unwrap();
}

#[tokio::test]
async fn everything_that_is_checked_before_the_state_is_checked_as_ever() {
    let world = World::start().await;
    let (acme, north, _, south) = fixture(&world).await;
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    let hidden = south.admin.create(customer("Bob")).await.unwrap();
    let approval =
        pb::ApproveCustomerRequest { customer_id: ada.id.clone(), request_id: request_id(), ..Default::default() };
    let creation =
        pb::CreateCustomerRequest { customer: Some(customer("Cy")), request_id: request_id(), ..Default::default() };
    let branch = pb::CreateBranchRequest {
        branch: Some(pb::Branch { name: "Harbour".to_owned(), ..Default::default() }),
        request_id: request_id(),
        ..Default::default()
    };
    let approve =
        async || Ok::<_, Status>(north.admin.customers().approve_customer(approval.clone()).await?.into_inner());
    let create =
        async || Ok::<_, Status>(north.admin.customers().create_customer(creation.clone()).await?.into_inner());
    let add = async || Ok::<_, Status>(north.admin.accounts().create_branch(branch.clone()).await?.into_inner());
    let (approved, created, added) = (approve().await.unwrap(), create().await.unwrap(), add().await.unwrap());
    suspend(&acme.admin, &north.account).await.unwrap();
    let before = rows(&world).await;

    // Shape, role, existence.
    let shapeless = north.admin.create(customer("")).await;
    assert_refused(shapeless, Code::InvalidArgument, "INVALID_FIELDS");
    let viewer_absent = north.admin.approve(&unknown_id()).await;
    let absent = assert_refused(viewer_absent, Code::NotFound, "CUSTOMER_NOT_FOUND");
    assert_eq!(wire(&north.admin.approve(&hidden.id).await.unwrap_err()), wire(&absent));
    // The stored answers.
    let again = (approve().await.unwrap(), create().await.unwrap(), add().await.unwrap());
    assert!(again.0.replayed && again.1.replayed && again.2.replayed);
    assert_eq!(again.2.branch, added.branch);
    let ids = (again.0.customer.unwrap().id, again.1.customer.unwrap().id);
    assert_eq!(ids, (approved.customer.unwrap().id, created.customer.unwrap().id));
    // Already made.
    north.admin.approve(&ada.id).await.unwrap();
    north.admin.unarchive(&[&ada.id]).await.unwrap();
    // What is taken comes after the state, and what is only validated is refused like what is not.
    let taken = pb::CreateBranchRequest { request_id: String::new(), ..branch.clone() };
    let taken = north.admin.accounts().create_branch(taken).await;
    assert_refused(taken, Code::FailedPrecondition, "ACCOUNT_SUSPENDED");
    let only = pb::CreateCustomerRequest { validate_only: true, ..creation.clone() };
    let only = north.admin.customers().create_customer(only).await;
    assert_refused(only, Code::FailedPrecondition, "ACCOUNT_SUSPENDED");
    assert_eq!(rows(&world).await, before);
}

#[tokio::test]
async fn only_an_account_above_suspends_and_resumes() {
    let world = World::start().await;
    let (acme, north, deep, south) = fixture(&world).await;
    let globex = world.tenant("globex").await;
    let before = rows(&world).await;
    for client in [&north.admin, &acme.admin.acting_in(&north.account)] {
        let refused = [suspend(client, &north.account).await.map(drop), resume(client, &north.account).await.map(drop)];
        for refused in refused {
            let refused = assert_refused(refused, Code::PermissionDenied, "ACCOUNT_ABOVE_REQUIRED");
            assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
        }
    }
    let absent = wire(&suspend(&north.admin, &unknown_id()).await.unwrap_err());
    for id in [&acme.account, &south.account, &globex.account] {
        for refused in [suspend(&north.admin, id).await.map(drop), resume(&north.admin, id).await.map(drop)] {
            assert_eq!(wire(&assert_refused(refused, Code::NotFound, "ACCOUNT_NOT_FOUND")), absent);
        }
    }
    let malformed = assert_refused(suspend(&north.admin, "7").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&malformed), ["account_id"]);
    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::ServiceManager] {
        let client = north.member(role).await;
        for refused in [suspend(&client, &deep.account).await.map(drop), resume(&client, &deep.account).await.map(drop)]
        {
            assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        }
    }
    let narrowed = acme.admin.narrowed_to(&unknown_id());
    let refused = suspend(&narrowed, &north.account).await;
    assert_refused(refused, Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
    assert_eq!(rows(&world).await["accounts"], before["accounts"]);

    // Its parent does, and cannot while it is suspended itself.
    suspend(&north.admin, &deep.account).await.unwrap();
    suspend(&acme.admin, &north.account).await.unwrap();
    let refused = resume(&north.admin, &deep.account).await;
    assert_refused(refused, Code::FailedPrecondition, "ACCOUNT_SUSPENDED");
    resume(&acme.admin, &north.account).await.unwrap();
    assert_eq!(state(&deep.admin).await, pb::AccountState::Suspended, "its own suspension stays");
    resume(&acme.admin, &deep.account).await.unwrap();
    deep.admin.create(customer("Ada")).await.unwrap();
}

#[tokio::test]
async fn what_is_so_already_stays_and_repeats_get_the_stored_answer() {
    let world = World::in_production().await;
    let (acme, north, ..) = fixture(&world).await;
    let request =
        pb::SuspendAccountRequest { account_id: north.account.clone(), request_id: request_id(), ..Default::default() };
    let call = async |client: &Client, request: pb::SuspendAccountRequest| {
        client.accounts().suspend_account(request).await.map(tonic::Response::into_inner)
    };
    let before = rows(&world).await;
    let only = pb::SuspendAccountRequest { validate_only: true, ..request.clone() };
    let shown = call(&acme.admin, only).await.unwrap().account.unwrap();
    assert_eq!(shown.state(), pb::AccountState::Suspended);
    assert_eq!(rows(&world).await, before, "validate_only changes nothing");
    north.admin.create(customer("Ada")).await.unwrap();

    let answers = repeat_at_once(8, || {
        let (client, request) = (acme.admin.clone(), request.clone());
        async move { client.accounts().suspend_account(request).await.unwrap().into_inner() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let (first, before) = (answers[0].account.clone().unwrap(), rows(&world).await);
    let again = suspend(&acme.admin, &north.account).await.unwrap();
    assert_eq!((again.replayed, again.account.unwrap().suspend_time), (false, first.suspend_time), "since then");
    assert_eq!(rows(&world).await, before, "suspending twice changes nothing");
    resume(&acme.admin, &north.account).await.unwrap();
    let before = rows(&world).await;
    resume(&acme.admin, &north.account).await.unwrap();
    assert_eq!(rows(&world).await, before, "resuming twice changes nothing");
    let stored = call(&acme.admin, request.clone()).await.unwrap();
    assert!(stored.replayed && stored.account.unwrap().state() == pb::AccountState::Suspended, "as it was then");
    assert_eq!(state(&north.admin).await, pb::AccountState::Active);
    let other = pb::SuspendAccountRequest { account_id: acme.child("other").await.account, ..request };
    assert_refused(call(&acme.admin, other).await, Code::InvalidArgument, "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn another_server_and_service_principals_follow_within_two_seconds() {
    let world = World::start().await;
    let (acme, north, deep, _) = fixture(&world).await;
    deep.add("dana", pb::Role::Admin).await;
    let replica = World::start_with(world.database.clone(), |_| ()).await;
    let dana = replica.subject("dana").acting_in(&deep.account);
    let service = replica.subject(SERVICE).in_tenant(&acme.tenant).acting_in(&deep.account);
    let suspended = async |client: &Client| match client.create(customer("Ada")).await {
        Ok(_) => false,
        Err(refused) => {
            assert_refused(Err::<(), _>(refused), Code::FailedPrecondition, "ACCOUNT_SUSPENDED");
            true
        }
    };
    for client in [&dana, &service] {
        assert!(!suspended(client).await);
    }
    suspend(&acme.admin, &north.account).await.unwrap();
    for client in [&dana, &service] {
        until("the other server refuses", async || suspended(client).await).await;
    }
    resume(&acme.admin, &north.account).await.unwrap();
    for client in [&dana, &service] {
        until("the other server admits", async || !suspended(client).await).await;
    }
}

#[tokio::test]
async fn a_suspended_account_takes_members_who_read_in_it() {
    let world = crate::contract::world().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let max = north.add("max", pb::Role::Member).await;
    let token = token_by_key(&acme.tenant, &invited(&north, "nora@north.example").await.invitation_id);
    suspend(&acme.admin, &north.account).await.unwrap();
    let accept = pb::AcceptMembershipRequest { member_id: max.member_id, ..Default::default() };
    world.subject("max").access().accept_membership(accept).await.unwrap();
    let invitation = pb::AcceptInvitationRequest { token, ..Default::default() };
    world.subject("nora").access().accept_invitation(invitation).await.unwrap();
    for member in ["max", "nora"].map(|subject| world.subject(subject)) {
        assert_eq!(state(&member).await, pb::AccountState::Suspended);
        assert_refused(member.create(customer("Ada")).await, Code::FailedPrecondition, "ACCOUNT_SUSPENDED");
    }
    resume(&acme.admin, &north.account).await.unwrap();
    for (subject, name) in [("max", "Ada"), ("nora", "Bob")] {
        world.subject(subject).create(customer(name)).await.unwrap();
    }
}
