//! SuspendTenant and ResumeTenant. `matrix.rs` calls every RPC in a suspended tenant.

use clientele::grpc::pb::{self, AccountEventType as Type};
use tonic::{Code, Status};

use crate::{
    accept_membership::{accept, accepting},
    contract,
    decline_membership::{decline, declining},
    invitations,
    rows::rows,
    world::{
        Client, OPERATOR, SERVICE, World, assert_refused, bad_fields, customer, metadata, repeat_at_once, request_id,
        unknown_id, until,
    },
};

/// Suspends a tenant.
pub async fn suspend(client: &Client, id: &str) -> Result<pb::SuspendTenantResponse, Status> {
    let request = pb::SuspendTenantRequest { tenant_id: id.to_owned(), ..Default::default() };
    Ok(client.accounts().suspend_tenant(request).await?.into_inner())
}

async fn resume(client: &Client, id: &str) -> Result<pb::ResumeTenantResponse, Status> {
    let request = pb::ResumeTenantRequest { tenant_id: id.to_owned(), ..Default::default() };
    Ok(client.accounts().resume_tenant(request).await?.into_inner())
}

async fn memberships(client: &Client) -> Vec<(String, bool)> {
    let who = client.access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap().into_inner();
    who.memberships.into_iter().map(|membership| (membership.tenant_id, membership.tenant_suspended)).collect()
}

#[tokio::test]
async fn every_call_in_a_suspended_tenant_is_refused_and_who_am_i_says_so() {
    let world = World::start().await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let north = acme.child("north").await;
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    let max = north.add("max", pb::Role::Viewer).await;
    globex.add("max", pb::Role::Viewer).await;
    let service = world.subject(SERVICE).in_tenant(&acme.tenant).acting_in(&north.account);
    service.get(&ada.id).await.unwrap();

    let answer = suspend(&world.operator(), &acme.tenant).await.unwrap().tenant.unwrap();
    assert_eq!((answer.state(), answer.suspend_time.is_some()), (pb::TenantState::Suspended, true));
    assert!(!max.member_id.is_empty());
    let viewer = world.subject("max").acting_in(&north.account);
    for client in [&acme.admin, &north.admin, &service, &viewer] {
        assert_refused(client.get(&ada.id).await, Code::PermissionDenied, "TENANT_SUSPENDED");
        // Before the role is looked at.
        assert_refused(client.create(customer("Bob")).await, Code::PermissionDenied, "TENANT_SUSPENDED");
    }
    let stranger = world.subject("stranger").acting_in(&north.account).get(&ada.id).await;
    assert_refused(stranger, Code::PermissionDenied, "NOT_A_MEMBER");
    globex.admin.create(customer("Ada")).await.unwrap();
    let mut known = vec![(acme.tenant.clone(), true), (globex.tenant.clone(), false)];
    known.sort();
    assert_eq!(memberships(&world.subject("max")).await, known);
    let tenants = pb::ListTenantsRequest::default();
    let tenants = world.operator().accounts().list_tenants(tenants).await.unwrap().into_inner().tenants;
    let states: Vec<_> = tenants.iter().map(|tenant| (tenant.name.as_str(), tenant.state())).collect();
    assert_eq!(states, [("acme", pb::TenantState::Suspended), ("globex", pb::TenantState::Active)]);

    let resumed = resume(&world.operator(), &acme.tenant).await.unwrap().tenant.unwrap();
    assert_eq!((resumed.state(), resumed.suspend_time), (pb::TenantState::Active, None));
    for client in [&acme.admin, &north.admin, &service, &viewer] {
        client.get(&ada.id).await.unwrap();
    }
    assert!(memberships(&world.subject("max")).await.iter().all(|(_, suspended)| !suspended));
    let events = pb::ListAccountEventsRequest::default();
    let events = acme.admin.accounts().list_account_events(events).await.unwrap().into_inner().events;
    let types: Vec<_> = events.iter().map(pb::AccountEvent::r#type).collect();
    assert_eq!(types, [Type::TenantResumed, Type::TenantSuspended, Type::MemberAdded, Type::TenantCreated]);
    let by = events[1].principal.as_ref().unwrap();
    assert_eq!((by.subject.as_str(), events[1].acting_account_id.as_str()), (OPERATOR, ""));
}

#[tokio::test]
async fn only_operators_suspend_and_an_unknown_tenant_is_not_found() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    for client in [&acme.admin, &world.subject("stranger"), &world.subject(SERVICE).in_tenant(&acme.tenant)] {
        for refused in [suspend(client, &acme.tenant).await.map(drop), resume(client, &acme.tenant).await.map(drop)] {
            let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
            assert_eq!(metadata(&refused, "required_role").as_deref(), Some("PLATFORM"));
        }
    }
    let operator = world.operator();
    for id in [unknown_id(), acme.child("north").await.account] {
        for refused in [suspend(&operator, &id).await.map(drop), resume(&operator, &id).await.map(drop)] {
            assert_refused(refused, Code::NotFound, "TENANT_NOT_FOUND");
        }
    }
    let malformed = assert_refused(suspend(&operator, "7").await, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&malformed), ["tenant_id"]);
    assert_eq!(rows(&world).await["tenants"], before["tenants"]);
}

#[tokio::test]
async fn what_is_so_already_stays_and_repeats_get_the_stored_answer() {
    let world = World::in_production().await;
    let acme = world.tenant("acme").await;
    let operator = world.operator();
    let request =
        pb::SuspendTenantRequest { tenant_id: acme.tenant.clone(), request_id: request_id(), ..Default::default() };
    let before = rows(&world).await;
    let only = pb::SuspendTenantRequest { validate_only: true, ..request.clone() };
    let shown = operator.accounts().suspend_tenant(only).await.unwrap().into_inner().tenant.unwrap();
    assert_eq!(shown.state(), pb::TenantState::Suspended);
    assert_eq!(rows(&world).await, before);
    acme.admin.create(customer("Ada")).await.unwrap();

    let answers = repeat_at_once(8, || {
        let (client, request) = (operator.clone(), request.clone());
        async move { client.accounts().suspend_tenant(request).await.unwrap().into_inner() }
    })
    .await;
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    let before = rows(&world).await;
    let again = suspend(&operator, &acme.tenant).await.unwrap();
    assert_eq!(again.tenant.unwrap().suspend_time, answers[0].tenant.as_ref().unwrap().suspend_time);
    assert_eq!(rows(&world).await, before, "suspending twice changes nothing");
    resume(&operator, &acme.tenant).await.unwrap();
    let before = rows(&world).await;
    resume(&operator, &acme.tenant).await.unwrap();
    assert_eq!(rows(&world).await, before, "resuming twice changes nothing");
    let stored = operator.accounts().suspend_tenant(request).await.unwrap().into_inner();
    assert!(stored.replayed && stored.tenant.unwrap().state() == pb::TenantState::Suspended, "as it was then");
    acme.admin.create(customer("Bob")).await.unwrap();
}

#[tokio::test]
async fn another_server_follows_within_two_seconds() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    acme.add("nora", pb::Role::Viewer).await;
    let replica = World::start_with(world.database.clone(), |_| ()).await;
    let nora = replica.subject("nora").acting_in(&acme.account);
    let service = replica.subject(SERVICE).in_tenant(&acme.tenant);
    let suspended = async |client: &Client| match client.accounts().get_account(pb::GetAccountRequest::default()).await
    {
        Ok(_) => false,
        Err(refused) => {
            assert_refused(Err::<(), _>(refused), Code::PermissionDenied, "TENANT_SUSPENDED");
            true
        }
    };
    for client in [&nora, &service] {
        assert!(!suspended(client).await);
    }
    suspend(&world.operator(), &acme.tenant).await.unwrap();
    for client in [&nora, &service] {
        until("the other server refuses", async || suspended(client).await).await;
    }
    resume(&world.operator(), &acme.tenant).await.unwrap();
    for client in [&nora, &service] {
        until("the other server admits", async || !suspended(client).await).await;
    }
}

#[tokio::test]
async fn a_repeat_in_a_suspended_tenant_is_refused_whatever_became_of_its_first_call() {
    let world = contract::world().await;
    let acme = world.tenant("acme").await;
    let (stays, goes) = (acme.add("nora", pb::Role::Viewer).await, acme.add("max", pb::Role::Viewer).await);
    let (nora, max) = (world.subject("nora"), world.subject("max"));
    let token =
        invitations::token_by_key(&acme.tenant, &invitations::invited(&acme, "eve@acme.example").await.invitation_id);
    let accept_stays = pb::AcceptMembershipRequest { request_id: request_id(), ..accepting(&stays.member_id) };
    let decline_goes = pb::DeclineMembershipRequest { request_id: request_id(), ..declining(&goes.member_id) };
    let invited = pb::AcceptInvitationRequest { token, request_id: request_id(), ..Default::default() };
    let eve = invitations::with_email(&world, "eve", "eve@acme.example");
    let calls = async || {
        [
            accept(&nora, accept_stays.clone()).await.map(|answer| answer.replayed),
            decline(&max, decline_goes.clone()).await.map(|answer| answer.replayed),
            invitations::accept_as(&eve, invited.clone()).await.map(|answer| answer.replayed),
        ]
    };
    assert!(calls().await.into_iter().all(|first| !first.unwrap()));
    suspend(&world.operator(), &acme.tenant).await.unwrap();
    for repeat in calls().await {
        assert_refused(repeat, Code::PermissionDenied, "TENANT_SUSPENDED");
    }
    resume(&world.operator(), &acme.tenant).await.unwrap();
    assert!(calls().await.into_iter().all(|repeat| repeat.unwrap()));
}

#[tokio::test]
async fn an_operator_that_names_a_customer_changes_nothing() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let before = rows(&world).await;
    let narrowed = world.operator().narrowed_to(&unknown_id());
    let create = pb::CreateTenantRequest {
        tenant: Some(pb::Tenant { name: "globex".to_owned(), ..Default::default() }),
        first_admin: Some(crate::world::principal("globex-admin")),
        ..Default::default()
    };
    for refused in [
        narrowed.accounts().create_tenant(create).await.map(drop),
        suspend(&narrowed, &acme.tenant).await.map(drop),
        resume(&narrowed, &acme.tenant).await.map(drop),
    ] {
        assert_refused(refused, Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
    }
    assert_eq!(rows(&world).await, before);
    narrowed.accounts().list_tenants(pb::ListTenantsRequest::default()).await.unwrap();
    // Who is no operator is told that first.
    let refused = suspend(&acme.admin.narrowed_to(&unknown_id()), &acme.tenant).await;
    assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
}

#[tokio::test]
async fn memberships_and_invitations_stay_as_they_are() {
    let world = contract::world().await;
    let acme = world.tenant("acme").await;
    let member = acme.add("nora", pb::Role::Viewer).await.member_id;
    let invitation = invitations::invited(&acme, "nora@acme.example").await;
    let token = invitations::token_by_key(&acme.tenant, &invitation.invitation_id);
    let nora = world.subject("nora");
    suspend(&world.operator(), &acme.tenant).await.unwrap();
    let before = rows(&world).await;
    let refused = accept(&nora, accepting(&member)).await;
    assert_refused(refused, Code::PermissionDenied, "TENANT_SUSPENDED");
    let refused = decline(&nora, declining(&member)).await;
    assert_refused(refused, Code::PermissionDenied, "TENANT_SUSPENDED");
    let refused = invitations::accept(&nora, &token).await;
    assert_refused(refused, Code::PermissionDenied, "TENANT_SUSPENDED");
    assert_eq!(rows(&world).await, before);
    resume(&world.operator(), &acme.tenant).await.unwrap();
    accept(&nora, accepting(&member)).await.unwrap();
    invitations::accept(&nora, &token).await.unwrap();
}
