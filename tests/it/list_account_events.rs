//! ListAccountEvents.

use std::collections::BTreeMap;

use clientele::grpc::pb::{self, AccountEventType as Type, ListAccountEventsRequest as Listing};
use prost::Message as _;
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::{
    accept_membership::{accept, accepting},
    change_member_role::{change, changing},
    create_branch::branch,
    create_tag::create,
    decline_membership::{decline, declining},
    invitations::{
        accept as accept_invitation, invite as invite_to, invited, inviting, resend, revoke, token_by_key, with_email,
    },
    name_rule::set_rule,
    remove_member::{remove, removing},
    suspend_account::{resume, suspend},
    world::{
        Client, TestAccount, World, assert_refused, bad_fields, customer, full_customer, mask, metadata, request_id,
        unknown_id, wire,
    },
};

async fn page(client: &Client, request: &Listing) -> Result<pb::ListAccountEventsResponse, Status> {
    Ok(client.accounts().list_account_events(request.clone()).await?.into_inner())
}

/// All events that a request lists, by pages of its size.
async fn all(client: &Client, request: Listing) -> Vec<pb::AccountEvent> {
    let (mut events, mut request) = (Vec::new(), request);
    loop {
        let page = page(client, &request).await.unwrap();
        events.extend(page.events);
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            return events;
        }
    }
}

fn of(test_account: &TestAccount) -> Listing {
    Listing { account_id: test_account.account.clone(), ..Default::default() }
}

fn types(events: &[pb::AccountEvent]) -> Vec<Type> {
    events.iter().map(pb::AccountEvent::r#type).collect()
}

/// The changes of an event by path: old value, new value.
fn changes(event: &pb::AccountEvent) -> BTreeMap<&str, (Value, Value)> {
    let event = pb::CustomerEvent { changes: event.changes.clone(), ..Default::default() };
    let changed = crate::list_customer_events::changes(&event);
    let owned: BTreeMap<String, _> = changed.into_iter().map(|(path, change)| (path.to_owned(), change)).collect();
    owned.into_iter().map(|(path, change)| (&*Box::leak(path.into_boxed_str()), change)).collect()
}

/// Makes one change of each kind in north, from north and from above.
async fn everything(acme: &TestAccount, north: &TestAccount) {
    north.add("nora", pb::Role::Viewer).await;
    let made = branch(&north.admin, "Eindhoven", false).await.unwrap();
    let renamed = pb::UpdateBranchRequest {
        branch: Some(pb::Branch { name: "Venlo".to_owned(), ..made.clone() }),
        update_mask: Some(mask(&["name"])),
        ..Default::default()
    };
    north.admin.accounts().update_branch(renamed).await.unwrap();
    let deleted = pb::DeleteBranchRequest { branch_id: made.id, ..Default::default() };
    north.admin.accounts().delete_branch(deleted).await.unwrap();
    let tag = create(&north.admin, "vip").await.unwrap();
    let renamed = pb::RenameTagRequest { tag_id: tag.id.clone(), name: "VIP".to_owned(), ..Default::default() };
    north.admin.tags().rename_tag(renamed).await.unwrap();
    let deleted = pb::DeleteTagRequest { tag_id: tag.id, ..Default::default() };
    north.admin.tags().delete_tag(deleted).await.unwrap();
    let update = pb::UpdateAccountRequest {
        account: Some(pb::Account {
            id: north.account.clone(),
            name: "North Sea".to_owned(),
            policies: Some(pb::AccountPolicies { auto_approve: Some(false), ..Default::default() }),
            ..Default::default()
        }),
        update_mask: Some(mask(&["name", "policies.auto_approve"])),
        request_id: request_id(),
        ..Default::default()
    };
    acme.admin.accounts().update_account(update).await.unwrap();
    suspend(&acme.admin, &north.account).await.unwrap();
    resume(&acme.admin, &north.account).await.unwrap();
}

const NEWEST_FIRST: [Type; 11] = [
    Type::AccountResumed,
    Type::AccountSuspended,
    Type::AccountUpdated,
    Type::TagDeleted,
    Type::TagRenamed,
    Type::TagCreated,
    Type::BranchDeleted,
    Type::BranchUpdated,
    Type::BranchCreated,
    Type::MemberAdded,
    Type::AccountCreated,
];

#[tokio::test]
async fn every_change_has_an_event_with_who_what_and_when() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    everything(&acme, &north).await;
    north.admin.create(full_customer("Ada")).await.unwrap();

    let events = all(&north.admin, Listing::default()).await;
    assert_eq!(types(&events), NEWEST_FIRST, "and no event of a customer");
    let [_, suspended, updated, ..] = &events[..] else { panic!("{events:?}") };
    assert_eq!(
        changes(updated),
        [("name", (json!("north"), json!("North Sea"))), ("policies.auto_approve", (json!(true), json!(false)))].into()
    );
    assert_eq!((&updated.account_id, &updated.acting_account_id), (&north.account, &acme.account));
    assert!(!updated.request_id.is_empty() && updated.trace_id.len() == 32 && !updated.event_id.is_empty());
    assert_eq!(updated.rpc, "clientele.v1.AccountService/UpdateAccount");
    assert!(updated.principal.as_ref().unwrap().subject.starts_with("acme-admin-"));
    assert!(updated.event_time.unwrap().seconds > 1_700_000_000);
    assert_eq!((suspended.changes.len(), suspended.request_id.as_str()), (0, ""));
    let path = |event: &pb::AccountEvent, path: &str| changes(event)[path].clone();
    assert_eq!(path(&events[3], "name"), (json!("VIP"), Value::Null));
    assert_eq!(path(&events[6], "name"), (json!("Venlo"), Value::Null));
    assert_eq!(path(&events[7], "name"), (json!("Eindhoven"), json!("Venlo")));
    assert_eq!(path(&events[9], "role"), (Value::Null, json!("VIEWER")));
    assert!(!events[9].member_id.is_empty() && events[8].member_id.is_empty());

    // The account's own tags are its own; all else of it is seen from above.
    let from_above: Vec<Type> = NEWEST_FIRST
        .into_iter()
        .filter(|event| ![Type::TagCreated, Type::TagRenamed, Type::TagDeleted].contains(event))
        .collect();
    assert_eq!(types(&all(&acme.admin, of(&north)).await), from_above);
    assert_eq!(types(&all(&acme.admin.acting_in(&north.account), Listing::default()).await), NEWEST_FIRST);
    let of_provider = all(&acme.admin, Listing::default()).await;
    assert_eq!(types(&of_provider), [Type::MemberAdded, Type::TenantCreated], "its own alone");
    assert!(changes(&of_provider[0])["subject"].1.as_str().unwrap().starts_with("acme-admin-"), "{of_provider:?}");
    assert_eq!((&of_provider[0].account_id, of_provider[0].acting_account_id.as_str()), (&acme.account, ""));

    set_rule(&acme.admin, &acme.account, pb::NameUniqueness::Tenant).await.unwrap();
    let rule = &all(&acme.admin, Listing::default()).await[0];
    assert_eq!(changes(rule), [("name_uniqueness", (json!("NONE"), json!("TENANT")))].into());
}

#[tokio::test]
async fn a_migration_writes_the_events_of_the_account_that_it_makes() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    acme.admin.tag(&[&ada.id], &["vip", "gold"], &[]).await.unwrap();
    let request = pb::MigrateCustomerToResellerRequest {
        customer_id: ada.id.clone(),
        admin_email: "admin@company.nl".to_owned(),
        copy_tags: true,
        ..Default::default()
    };
    let moved = acme.admin.customers().migrate_customer_to_reseller(request).await.unwrap().into_inner();
    let account = moved.customer.unwrap().account_id;
    let events = all(&acme.admin.acting_in(&account), Listing { oldest_first: true, ..Default::default() }).await;
    let own = [Type::AccountCreated, Type::InvitationCreated, Type::TagCreated, Type::TagCreated];
    assert_eq!(types(&events), own);
    let from_above = all(&acme.admin, Listing { account_id: account, oldest_first: true, ..Default::default() }).await;
    assert_eq!(types(&from_above), [Type::AccountCreated, Type::InvitationCreated]);
}

#[tokio::test]
async fn the_member_that_a_new_account_or_an_invitation_makes_has_an_event_of_its_own() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let request = pb::CreateAccountRequest {
        account: Some(pb::Account { name: "north".to_owned(), ..Default::default() }),
        first_admin: Some(crate::world::principal("nina")),
        ..Default::default()
    };
    let made = acme.admin.accounts().create_account(request).await.unwrap().into_inner();
    let (north, nina) = (made.account.unwrap().id, made.first_admin.unwrap());
    let newest_first = all(&acme.admin, Listing { account_id: north.clone(), ..Default::default() }).await;
    let [added, created] = &newest_first[..] else { panic!("{newest_first:?}") };
    assert_eq!([added, created].map(pb::AccountEvent::r#type), [Type::MemberAdded, Type::AccountCreated]);
    assert_eq!(changes(added)["subject"], (Value::Null, json!("nina")));
    assert_eq!((&added.account_id, &added.member_id), (&north, &nina.member_id));
    assert_ne!(added.event_id, created.event_id);
    let ada = acme.admin.create(customer("Ada")).await.unwrap();
    let request = pb::MigrateCustomerToResellerRequest {
        customer_id: ada.id.clone(),
        first_admin: Some(crate::world::principal("ada")),
        ..Default::default()
    };
    let moved = acme.admin.customers().migrate_customer_to_reseller(request).await.unwrap().into_inner();
    let account = moved.customer.unwrap().account_id;
    let oldest_first = Listing { account_id: account.clone(), oldest_first: true, ..Default::default() };
    let events = all(&acme.admin, oldest_first.clone()).await;
    assert_eq!(types(&events), [Type::AccountCreated, Type::MemberAdded]);
    assert_eq!(changes(&events[1])["subject"], (Value::Null, json!("ada")));

    // An invitation: of somebody new, and of one who waits in a lower role.
    let invite = async |address: &str, name: &str| {
        let invitation = invite_to(&acme.admin.acting_in(&account), inviting(address, pb::Role::Admin)).await;
        let made = invitation.unwrap().invitation.unwrap();
        let token = token_by_key(&acme.tenant, &made.invitation_id);
        accept_invitation(&with_email(&world, name, address), &token).await.unwrap();
    };
    invite("nora@north.example", "nora").await;
    let viewer = pb::AddMemberRequest {
        principal: Some(crate::world::principal("bob")),
        role: pb::Role::Viewer.into(),
        ..Default::default()
    };
    acme.admin.acting_in(&account).access().add_member(viewer).await.unwrap();
    invite("bob@north.example", "bob").await;
    let events = all(&acme.admin, oldest_first.clone()).await.split_off(2);
    let expected = [
        Type::InvitationCreated,
        Type::InvitationAccepted,
        Type::MemberAdded,
        Type::MemberAdded,
        Type::InvitationCreated,
        Type::InvitationAccepted,
        Type::MemberAccepted,
        Type::MemberRoleChanged,
    ];
    assert_eq!(types(&events), expected);
    assert_eq!(changes(&events[6])["waiting"], (json!(true), json!(false)));
    assert_eq!(changes(&events[7])["role"], (json!("VIEWER"), json!("ADMIN")));
    assert!(events[6..].iter().all(|event| event.member_id == events[3].member_id && !event.event_id.is_empty()));

    // Accepting is no use of the account: the migration can be reverted, which revokes what is open.
    let open = inviting("eve@north.example", pb::Role::Viewer);
    invite_to(&acme.admin.acting_in(&account), open).await.unwrap();
    let revert = pb::RevertCustomerMigrationRequest { customer_id: ada.id, ..Default::default() };
    acme.admin.customers().revert_customer_migration(revert).await.unwrap();
    let last = all(&acme.admin, oldest_first).await.pop().unwrap();
    assert_eq!(last.r#type(), Type::InvitationRevoked);
}

#[tokio::test]
async fn pages_of_any_size_in_either_order_list_the_same() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    everything(&acme, &north).await;
    let newest = all(&north.admin, Listing::default()).await;
    let mut oldest = newest.clone();
    oldest.reverse();
    let branches = [Type::BranchCreated, Type::BranchDeleted];
    let of_branches: Vec<_> = newest.iter().filter(|event| branches.contains(&event.r#type())).cloned().collect();
    let from_above = all(&acme.admin, of(&north)).await;
    for page_size in [1, 2, 3, 11, 12] {
        let asked = Listing { page_size, ..Default::default() };
        assert_eq!(all(&north.admin, asked.clone()).await, newest, "{page_size}");
        assert_eq!(all(&north.admin, Listing { oldest_first: true, ..asked.clone() }).await, oldest, "{page_size}");
        let types = branches.map(i32::from).to_vec();
        assert_eq!(all(&north.admin, Listing { types, ..asked.clone() }).await, of_branches, "{page_size}");
        assert_eq!(all(&acme.admin, Listing { page_size, ..of(&north) }).await, from_above, "{page_size}");
    }
    let some = Listing { page_size: 2, types: vec![Type::BranchCreated.into(); 3], ..Default::default() };
    assert_eq!(types(&page(&north.admin, &some).await.unwrap().events), [Type::BranchCreated]);
}

#[tokio::test]
async fn a_page_looks_at_so_many_events_and_ends_before_two_mebibytes() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let copy = r"
        insert into events
        select copy.*
        from events e, generate_series(1, $1) as n,
             lateral jsonb_populate_record(
                 e, jsonb_build_object('id', gen_random_uuid(), 'seq', nextval('events_seq'), 'n', n, 'type', $2::text,
                                       'changes', jsonb_build_object('name', jsonb_build_object('new', repeat('x', $3))))
             ) as copy
        where e.type = 'TENANT_CREATED'
    ";
    let copies = async |count: i32, kind: &str, size: i32| {
        sqlx::query(copy).bind(count).bind(kind).bind(size).execute(&mut world.sql().await).await.unwrap();
    };
    copies(10_500, "BRANCH_UPDATED", 10).await;
    let rare = Listing { types: vec![Type::TenantCreated.into()], ..Default::default() };
    let first = page(&acme.admin, &rare).await.unwrap();
    assert!(first.events.is_empty() && !first.next_page_token.is_empty(), "it goes on");
    assert_eq!(types(&all(&acme.admin, rare).await), [Type::TenantCreated]);
    copies(120, "BRANCH_UPDATED", 30_000).await;
    let first = page(&acme.admin, &Listing { page_size: 1_000, ..Default::default() }).await.unwrap();
    assert!((1_900_000..=2 * 1024 * 1024).contains(&first.encoded_len()), "{}", first.encoded_len());
    assert!(!first.next_page_token.is_empty());
    assert_eq!(all(&acme.admin, Listing { page_size: 1_000, ..Default::default() }).await.len(), 10_622);
}

#[tokio::test]
async fn events_of_older_code_belong_to_the_acting_account() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    north.branch("Eindhoven").await;
    sqlx::query(
        "update events set account_id = null, type = case type when 'BRANCH_CREATED' then 'OF_NEWER_RELEASE'
                 else type end",
    )
    .execute(&mut world.sql().await)
    .await
    .unwrap();
    assert_eq!(types(&all(&north.admin, Listing::default()).await), [Type::Unspecified], "an unknown type is shown");
    let of_parent = all(&acme.admin, Listing::default()).await;
    assert_eq!(types(&of_parent), [Type::AccountCreated, Type::MemberAdded, Type::TenantCreated]);
    assert_eq!(changes(&of_parent[0])["account_id"].1, json!(north.account));
}

#[tokio::test]
async fn only_admins_read_and_only_of_accounts_in_reach() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let globex = world.tenant("globex").await;
    let absent = Listing { account_id: unknown_id(), ..Default::default() };
    let absent = wire(&page(&north.admin, &absent).await.unwrap_err());
    for other in [&acme, &south, &globex] {
        let refused = assert_refused(page(&north.admin, &of(other)).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
        assert_eq!(wire(&refused), absent, "existence must not leak");
    }
    for role in [pb::Role::Viewer, pb::Role::Member, pb::Role::ServiceManager] {
        let refused = page(&north.member(role).await, &Listing::default()).await;
        let refused = assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        assert_eq!(metadata(&refused, "required_role").as_deref(), Some("ADMIN"));
    }
    let wrong = Listing { account_id: "7".to_owned(), types: vec![1, 0, 99], page_size: -1, ..Default::default() };
    let refused = assert_refused(page(&north.admin, &wrong).await, Code::InvalidArgument, "INVALID_FIELDS");
    let mut fields = bad_fields(&refused);
    fields.sort();
    assert_eq!(fields, ["account_id", "page_size", "types[1]", "types[2]"]);
    for _ in 0..2 {
        north.branch(&unknown_id()).await;
    }
    let token = page(&north.admin, &Listing { page_size: 1, ..Default::default() }).await.unwrap().next_page_token;
    for strange in [
        Listing { oldest_first: true, ..Default::default() },
        Listing { types: vec![1], ..Default::default() },
        of(&north),
    ] {
        let strange = Listing { page_token: token.clone(), ..strange };
        assert_refused(page(&north.admin, &strange).await, Code::InvalidArgument, "PAGE_TOKEN_INVALID");
    }
}

#[tokio::test]
async fn members_and_invitations_have_events_of_their_account() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    let north = acme.child("north").await;
    let (nora, bob) = (north.add("nora", pb::Role::Viewer).await, north.add("bob", pb::Role::Viewer).await);
    accept(&world.subject("nora"), accepting(&nora.member_id)).await.unwrap();
    change(&north.admin, changing(&nora.member_id, pb::Role::Member)).await.unwrap();
    remove(&north.admin, removing(&nora.member_id)).await.unwrap();
    decline(&world.subject("bob"), declining(&bob.member_id)).await.unwrap();
    let invitation = invited(&north, "ada@north.example").await.invitation_id;
    resend(&north.admin, &invitation).await.unwrap();
    revoke(&north.admin, &invitation).await.unwrap();

    let events = all(&acme.admin, of(&north)).await;
    let newest_first = [
        Type::InvitationRevoked,
        Type::InvitationResent,
        Type::InvitationCreated,
        Type::MemberDeclined,
        Type::MemberRemoved,
        Type::MemberRoleChanged,
        Type::MemberAccepted,
        Type::MemberAdded,
        Type::MemberAdded,
        Type::AccountCreated,
    ];
    assert_eq!(types(&events), newest_first);
    assert!(events.iter().all(|event| event.account_id == north.account));
    assert_eq!([3, 4].map(|at| events[at].member_id.as_str()), [&*bob.member_id, &*nora.member_id]);
    assert_eq!(changes(&events[5])["role"], (json!("VIEWER"), json!("MEMBER")));
    assert!(!format!("{events:?}").contains("ada@"), "an address is in no event");
    assert_eq!(types(&all(&acme.admin, Listing::default()).await), [Type::MemberAdded, Type::TenantCreated]);
}
