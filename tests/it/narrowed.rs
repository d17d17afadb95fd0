//! The header `clientele-customer`: a call that may use only one customer.

use clientele::grpc::pb;
use tonic::{Code, Status};

use crate::{
    create_branch::branch,
    create_tag::create,
    modify_customer_tags::{modify, pair, tagging, tags_of},
    rows::rows,
    suspend_customer::suspend,
    world::{
        Client, World, assert_refused, bad_fields, customer, mask, metadata, principal, request_id, unknown_id, wire,
    },
};

/// The answers of every RPC on one customer.
async fn each_on_one(client: &Client, id: &str) -> Vec<Result<(), Status>> {
    let customer_id = id.to_owned();
    let named = pb::Customer { id: id.to_owned(), ..customer("Eve") };
    let reason = "no".to_owned();
    let hold = pb::PlaceHoldRequest {
        customer_id: customer_id.clone(),
        kind: "orders".to_owned(),
        reason: reason.clone(),
        ..Default::default()
    };
    let release =
        pb::ReleaseHoldRequest { customer_id: customer_id.clone(), hold_id: unknown_id(), ..Default::default() };
    let resume = pb::ResumeCustomerRequest { customer_id, ..Default::default() };
    vec![
        client.get(id).await.map(drop),
        client.events(id).await.map(drop),
        client.update(named, &["name"]).await.map(drop),
        client.approve(id).await.map(drop),
        client.tag(&[id], &["vip"], &[]).await.map(drop),
        client.customers().place_hold(hold).await.map(drop),
        client.customers().release_hold(release).await.map(drop),
        suspend(client, id).await.map(drop),
        client.customers().resume_customer(resume).await.map(drop),
        client.archive(&[id]).await.map(drop),
        client.unarchive(&[id]).await.map(drop),
    ]
}

#[tokio::test]
async fn its_own_customer_answers_and_any_other_does_not_exist() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    let narrowed = acme.admin.narrowed_to(&ada.id.to_uppercase());
    let before = acme.admin.get(&bob.id).await.unwrap();

    let (hidden, absent) = (each_on_one(&narrowed, &bob.id).await, each_on_one(&narrowed, &unknown_id()).await);
    for (hidden, absent) in hidden.into_iter().zip(absent) {
        let hidden = assert_refused(hidden, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(wire(&hidden), wire(&absent.unwrap_err()), "for a narrowed call other customers do not exist");
    }
    assert_eq!(acme.admin.get(&bob.id).await.unwrap(), before);
    for answer in each_on_one(&narrowed, &ada.id).await {
        answer.unwrap();
    }
    assert_eq!(
        narrowed.get(&ada.id).await.unwrap(),
        acme.admin.get(&ada.id).await.unwrap(),
        "the same, with the same etag"
    );
    assert_eq!(tags_of(&narrowed, &ada.id).await, ["vip"]);
}

#[tokio::test]
async fn narrowing_does_not_make_a_customer_visible() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let ada = north.admin.create(customer("Ada")).await.unwrap();
    let own = south.admin.create(customer("Bob")).await.unwrap();
    for target in [&ada.id, &unknown_id()] {
        for id in [target, &own.id] {
            let refused = south.admin.narrowed_to(target).get(id).await;
            assert_refused(refused, Code::NotFound, "CUSTOMER_NOT_FOUND");
        }
    }
}

#[tokio::test]
async fn a_batch_with_another_customer_is_refused_by_position() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    let narrowed = acme.admin.narrowed_to(&ada.id);
    let before = rows(&world).await;
    let ids = [ada.id.as_str(), bob.id.as_str()];
    for refused in [
        narrowed.archive(&ids).await.map(drop),
        narrowed.unarchive(&ids).await.map(drop),
        narrowed.tag(&ids, &["new"], &[]).await.map(drop),
    ] {
        let refused = assert_refused(refused, Code::NotFound, "CUSTOMER_NOT_FOUND");
        assert_eq!(metadata(&refused, "field").as_deref(), Some("customer_ids[1]"));
    }
    assert_eq!(rows(&world).await, before);
    assert!(narrowed.archive(&[&ada.id, &ada.id]).await.unwrap().outcomes[0].changed);
}

/// The answers of every mutation that names no customer.
async fn mutations_without_customer(client: &Client, tag: &pb::Tag, other: &pb::Branch) -> Vec<Result<(), Status>> {
    let (account, member) = (
        pb::CreateAccountRequest {
            account: Some(pb::Account { name: "New".to_owned(), ..Default::default() }),
            ..Default::default()
        },
        pb::AddMemberRequest {
            principal: Some(principal("somebody")),
            role: pb::Role::Viewer.into(),
            ..Default::default()
        },
    );
    let mut access = client.access();
    let member_id = client.memberships(0).await.remove(0).member_id;
    let accept = pb::AcceptMembershipRequest { member_id: member_id.clone(), ..Default::default() };
    let change = pb::ChangeMemberRoleRequest {
        member_id: member_id.clone(),
        role: pb::Role::Admin.into(),
        ..Default::default()
    };
    let others = access.list_members(pb::ListMembersRequest::default()).await.unwrap().into_inner().members;
    let member_id = others.into_iter().map(|member| member.member_id).find(|id| *id != member_id).unwrap();
    let remove = pb::RemoveMemberRequest { member_id, ..Default::default() };
    let rename = pb::RenameTagRequest { tag_id: tag.id.clone(), name: "gold".to_owned(), ..Default::default() };
    let delete = pb::DeleteTagRequest { tag_id: tag.id.clone(), ..Default::default() };
    let moved = pb::UpdateBranchRequest {
        branch: Some(pb::Branch { dms_integrated: true, ..other.clone() }),
        update_mask: Some(mask(&["dms_integrated"])),
        ..Default::default()
    };
    vec![
        client.create(customer("Eve")).await.map(drop),
        client.accounts().create_account(account).await.map(drop),
        client.access().add_member(member).await.map(drop),
        access.accept_membership(accept).await.map(drop),
        access.change_member_role(change).await.map(drop),
        access.remove_member(remove).await.map(drop),
        branch(client, "Breda", true).await.map(drop),
        client.accounts().update_branch(moved).await.map(drop),
        create(client, "new").await.map(drop),
        client.tags().rename_tag(rename).await.map(drop),
        client.tags().delete_tag(delete).await.map(drop),
    ]
}

#[tokio::test]
async fn mutations_that_name_no_customer_are_refused() {
    let world = World::start().await;
    let (acme, ada, _) = pair(&world).await;
    let tag = create(&acme.admin, "vip").await.unwrap();
    let venlo = branch(&acme.admin, "Venlo", false).await.unwrap();
    acme.add("other", pb::Role::Viewer).await;
    let before = rows(&world).await;

    // For any value of the header: it alone says that nothing else may change.
    for id in [ada.id, unknown_id()] {
        for refused in mutations_without_customer(&acme.admin.narrowed_to(&id), &tag, &venlo).await {
            assert_refused(refused, Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
        }
    }
    assert_eq!(rows(&world).await, before);
    for answer in mutations_without_customer(&acme.admin, &tag, &venlo).await {
        answer.unwrap();
    }
}

#[tokio::test]
async fn reads_that_name_no_customer_still_answer() {
    let world = World::start().await;
    let (acme, ada, _) = pair(&world).await;
    create(&acme.admin, "vip").await.unwrap();
    branch(&acme.admin, "Venlo", false).await.unwrap();
    acme.child("north").await;
    let client = acme.admin.narrowed_to(&ada.id);
    assert_eq!(client.access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap().into_inner().memberships.len(), 1);
    let members = client.access().list_members(pb::ListMembersRequest::default()).await.unwrap().into_inner();
    assert_eq!(members.members.len(), 1);
    let account = client.accounts().get_account(pb::GetAccountRequest::default()).await.unwrap().into_inner();
    assert_eq!(account.account.unwrap().id, acme.account);
    let accounts = client.accounts().list_accounts(pb::ListAccountsRequest::default()).await.unwrap().into_inner();
    assert_eq!(accounts.accounts.len(), 1);
    let branches = client.accounts().list_branches(pb::ListBranchesRequest::default()).await.unwrap().into_inner();
    assert_eq!(branches.branches.len(), 1);
    let tags = client.tags().list_tags(pb::ListTagsRequest::default()).await.unwrap().into_inner();
    assert_eq!(tags.tags.len(), 1);
}

#[tokio::test]
async fn a_malformed_header_is_refused_by_name_before_anything_else() {
    let world = World::start().await;
    let (acme, ada, _) = pair(&world).await;
    for malformed in ["", "7", &format!("{} {}", ada.id, ada.id), "00000000-0000-0000-0000-000000000000"] {
        let client = acme.admin.narrowed_to(malformed);
        let refused = assert_refused(client.get(&ada.id).await, Code::InvalidArgument, "INVALID_FIELDS");
        assert_eq!(bad_fields(&refused), ["clientele-customer"], "{malformed:?}");
        let refused = client.create(customer("Eve")).await;
        assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    }
    let mut twice = tonic::Request::new(pb::GetCustomerRequest { customer_id: ada.id.clone(), ..Default::default() });
    twice.metadata_mut().append("clientele-customer", ada.id.parse().unwrap());
    twice.metadata_mut().append("clientele-customer", ada.id.parse().unwrap());
    let refused = acme.admin.customers().get_customer(twice).await;
    let refused = assert_refused(refused, Code::InvalidArgument, "INVALID_FIELDS");
    assert_eq!(bad_fields(&refused), ["clientele-customer"]);
    let viewer = acme.member(pb::Role::Viewer).await.narrowed_to(&ada.id);
    assert_refused(viewer.approve(&ada.id).await, Code::PermissionDenied, "ROLE_TOO_LOW");
}

#[tokio::test]
async fn a_request_id_cannot_be_reused_with_another_narrowing() {
    let world = World::start().await;
    let (acme, ada, bob) = pair(&world).await;
    let narrowed = acme.admin.narrowed_to(&ada.id);

    let one = pb::ModifyCustomerTagsRequest { request_id: request_id(), ..tagging(&[&ada.id], &["vip"], &[]) };
    modify(&narrowed, &one).await.unwrap();
    assert!(modify(&narrowed, &one).await.unwrap().replayed);
    assert_refused(modify(&acme.admin, &one).await, Code::InvalidArgument, "REQUEST_ID_REUSED");

    let approval =
        pb::SuspendCustomerRequest { request_id: request_id(), ..crate::suspend_customer::suspension(&ada.id) };
    crate::suspend_customer::call(&acme.admin, &approval).await.unwrap();
    let reused = crate::suspend_customer::call(&narrowed, &approval).await;
    assert_refused(reused, Code::InvalidArgument, "REQUEST_ID_REUSED");

    let archiving = pb::ArchiveCustomersRequest {
        customer_ids: vec![ada.id.clone()],
        request_id: request_id(),
        ..Default::default()
    };
    acme.admin.customers().archive_customers(archiving.clone()).await.unwrap();
    let reused = narrowed.customers().archive_customers(archiving.clone()).await;
    assert_refused(reused, Code::InvalidArgument, "REQUEST_ID_REUSED");
    // Existence comes first: with another narrowing the customer does not exist.
    let elsewhere = acme.admin.narrowed_to(&bob.id).customers().archive_customers(archiving).await;
    assert_refused(elsewhere, Code::NotFound, "CUSTOMER_NOT_FOUND");

    // A call that is refused for its narrowing stays refused, even if the same call was done without it.
    let creation =
        pb::CreateCustomerRequest { customer: Some(customer("Eve")), request_id: request_id(), ..Default::default() };
    acme.admin.customers().create_customer(creation.clone()).await.unwrap();
    let refused = narrowed.customers().create_customer(creation).await;
    assert_refused(refused, Code::PermissionDenied, "NARROWED_TO_CUSTOMER");
}
