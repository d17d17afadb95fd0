//! Every RPC that names a resource of an account, by role, and by the relation of that account to the acting one. Accounts are in
//! `NAMED`; what an RPC of the acting account alone does, `every_rpc_by_role_and_acting_account` says.

use std::collections::BTreeSet;

use clientele::grpc::pb;
use tonic::Code;

use super::{ROLES, Tree, policy, rank};
use crate::{
    contract::{
        cases::{CASES, Tenancy},
        subject,
    },
    create_branch::branch,
    invitations::execute,
    rows::rows,
    world::{Client, TestAccount, assert_refused, customer, unknown_id, wire},
};

/// Of whose customers, tags, branches, members and invitations a call may speak: by DESIGN 1. An account sees its customers and those
/// of all accounts below; of an account above only FLEET customers, on which any member may set a blank custom ID. Tags, branches,
/// members, invitations and custom IDs are named in their own account alone.
const RESOURCES: &str = "
                                self  child   grandchild  parent  sibling  foreign  unknown
    UpdateBranch                ok    absent  absent      absent  absent   absent   absent
    DeleteBranch                ok    absent  absent      absent  absent   absent   absent
    ChangeMemberRole            ok    absent  absent      absent  absent   absent   absent
    RemoveMember                ok    absent  absent      absent  absent   absent   absent
    ResendInvitation            ok    absent  absent      absent  absent   absent   absent
    RevokeInvitation            ok    absent  absent      absent  absent   absent   absent
    RenameTag                   ok    absent  absent      absent  absent   absent   absent
    DeleteTag                   ok    absent  absent      absent  absent   absent   absent
    LookupCustomer              ok    absent  absent      absent  absent   absent   absent
    GetCustomer                 ok    ok      ok          absent  absent   absent   absent
    ListCustomerEvents          ok    ok      ok          absent  absent   absent   absent
    UpdateCustomer              ok    ok      ok          absent  absent   absent   absent
    UpsertCustomer              ok    ok      ok          absent  absent   absent   absent
    UpdateCustomId              ok    ok      ok          ok      absent   absent   absent
    ModifyCustomerTags          ok    ok      ok          absent  absent   absent   absent
    ArchiveCustomers            ok    ok      ok          absent  absent   absent   absent
    UnarchiveCustomers          ok    ok      ok          absent  absent   absent   absent
    SuspendCustomer             ok    ok      ok          absent  absent   absent   absent
    ResumeCustomer              ok    ok      ok          absent  absent   absent   absent
    PlaceHold                   ok    ok      ok          absent  absent   absent   absent
    ReleaseHold                 ok    ok      ok          absent  absent   absent   absent
    ApproveCustomer             ok    ok      ok          absent  absent   absent   absent
    RejectCustomer              ok    ok      ok          absent  absent   absent   absent
    MigrateCustomerToReseller   ok    ok      ok          absent  absent   absent   absent
    RevertCustomerMigration     ok    ok      ok          absent  absent   absent   absent
    TransferCustomers           ok    ok      ok          absent  absent   absent   absent
    FindDuplicateCustomers      ok    ok      ok          absent  absent   absent   absent
    MergeCustomers              ok    ok      ok          absent  absent   absent   absent
    UnmergeCustomers            ok    ok      ok          absent  absent   absent   absent
    EraseCustomer               ok    ok      ok          absent  absent   absent   absent
    ExportSubjectData           ok    ok      ok          absent  absent   absent   absent
    ImportCustomers             ok    ok      ok          absent  absent   absent   absent
    AddPaymentMethod            ok    ok      ok          absent  absent   absent   absent
    SetDefaultPaymentMethod     ok    ok      ok          absent  absent   absent   absent
    RemovePaymentMethod         ok    ok      ok          absent  absent   absent   absent
    ListPaymentMethods          ok    ok      ok          absent  absent   absent   absent
    ActivateFeature             ok    ok      ok          absent  absent   absent   absent
    DeactivateFeature           ok    ok      ok          absent  absent   absent   absent
    ListActiveFeatures          ok    ok      ok          absent  absent   absent   absent
    SetCreditLimit              ok    ok      ok          absent  absent   absent   absent
    AssignRatePlan              ok    ok      ok          absent  absent   absent   absent
    UpdateRatePlan              ok    absent  absent      absent  absent   absent   absent
    ArchiveRatePlan             ok    absent  absent      absent  absent   absent   absent
";

/// The reason by which a resource of this kind is absent.
fn absent(tenancy: Tenancy) -> &'static str {
    match tenancy {
        Tenancy::Customer | Tenancy::CustomId => "CUSTOMER_NOT_FOUND",
        Tenancy::Tag => "TAG_NOT_FOUND",
        Tenancy::Branch => "BRANCH_NOT_FOUND",
        Tenancy::Member => "MEMBER_NOT_FOUND",
        Tenancy::Invitation => "INVITATION_NOT_FOUND",
        Tenancy::RatePlan => "RATE_PLAN_NOT_FOUND",
        other => panic!("{other:?} is no resource of an account"),
    }
}

fn lines() -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    RESOURCES.lines().filter(|line| !line.trim().is_empty()).skip(1).map(|line| {
        let mut words = line.split_whitespace();
        (words.next().unwrap(), words.collect())
    })
}

#[test]
fn every_rpc_that_names_a_resource_has_its_row() {
    let elsewhere = |tenancy: Tenancy| {
        use Tenancy::{Account, Acting, Caller, InvitationToken, Membership, Platform, Provider};
        matches!(tenancy, Account | Acting | Caller | InvitationToken | Membership | Platform | Provider)
    };
    let all: BTreeSet<&str> = CASES
        .iter()
        .filter(|case| !elsewhere(case.tenancy))
        .map(|case| case.rpc.split('/').next_back().unwrap())
        .collect();
    let named: BTreeSet<&str> = lines().map(|(rpc, _)| rpc).collect();
    assert_eq!(named, all);
}

#[tokio::test]
async fn every_rpc_that_names_a_resource_by_role_and_relation() {
    let tree = Tree::grow().await;
    let relations: Vec<&str> = RESOURCES.lines().nth(1).unwrap().split_whitespace().collect();
    for (rpc, outcomes) in lines() {
        let (case, least, _) = policy().into_iter().find(|(case, ..)| case.rpc.ends_with(&format!("/{rpc}"))).unwrap();
        let mut refusals = Vec::new();
        for (relation, outcome) in relations.iter().zip(outcomes) {
            // The limits of a day are none here.
            let yesterday = "update invitations set queued_at = queued_at - interval '2 days';
                             update invitation_mails set asked_at = asked_at - interval '2 days'";
            execute(&tree.world, yesterday).await;
            let owner = match *relation {
                "self" => Some(&tree.middle),
                "child" => Some(&tree.child),
                "grandchild" => Some(&tree.grandchild),
                "parent" => Some(&tree.parent),
                "sibling" => Some(&tree.sibling),
                "foreign" => Some(&tree.foreign),
                _ => None,
            };
            for (role, client) in &tree.members {
                let what = format!("{rpc} of {relation} as {role}");
                let id = match owner {
                    Some(owner) => subject(case, owner, client).await,
                    None => unknown_id(),
                };
                let before = if outcome == "absent" { Some(rows(&tree.world).await) } else { None };
                let answer = (case.call)(client.clone(), id).await;
                match outcome {
                    _ if rank(role) < rank(least) => {
                        drop(assert_refused(answer, Code::PermissionDenied, "ROLE_TOO_LOW"));
                    }
                    "ok" => assert!(answer.is_ok(), "{what}: {answer:?}"),
                    "absent" => refusals.push(wire(&assert_refused(answer, Code::NotFound, absent(case.tenancy)))),
                    other => panic!("{what}: {other}?"),
                }
                if let Some(before) = before {
                    assert_eq!(rows(&tree.world).await, before, "{what}");
                }
            }
        }
        assert!(refusals.windows(2).all(|pair| pair[0] == pair[1]), "{rpc}: existence leaks: {refusals:?}");
    }
}

/// Who asks, by the relation of the customer's owner to the acting account, and whether it may change the customer's fields, by role:
/// VIEWER, MEMBER, SERVICE_MANAGER, ADMIN.
const MAY_UPDATE: [(&str, [bool; 4]); 2] =
    [("its owner or above", [false, true, true, true]), ("below its owner", [false, false, false, false])];

#[tokio::test]
async fn allowed_actions_say_only_what_the_asking_account_may_see_and_do() {
    let tree = Tree::grow().await;
    // A customer of the account above: what its owner requires of it, holds and its branch are the owner's own.
    let hidden = branch(&tree.parent.admin, "hidden branch", false).await.unwrap();
    let fleet = pb::Customer { reach: pb::Reach::Fleet.into(), branch_id: hidden.id.clone(), ..customer("Fleet") };
    let above = tree.parent.admin.create(fleet).await.unwrap().id;
    let own = tree.child.admin.create(customer("Own")).await.unwrap().id;
    for (role_at, (role, _)) in ROLES.iter().enumerate() {
        let client = &tree.members[role_at].1;
        for ((relation, may), id) in MAY_UPDATE.iter().zip([&own, &above]) {
            let shown = shown(client, id).await;
            let updates = shown.allowed_actions.contains(&"UpdateCustomer".to_owned());
            assert_eq!(updates, may[role_at], "{role}, {relation}: {:?}", shown.allowed_actions);
            let told = format!("{shown:?}");
            assert!(*relation != "below its owner" || !told.contains(&hidden.id), "{role}: {told}");
        }
    }
    // Whether its owner could approve it, an account below is not told: neither by actions nor by an error.
    let admin = &tree.members[3].1;
    let before = shown(admin, &above).await.allowed_actions;
    let refused = wire(&admin.approve(&above).await.unwrap_err());
    tree.parent.admin.approve(&above).await.unwrap();
    assert_eq!(shown(admin, &above).await.allowed_actions, before);
    assert_eq!(wire(&admin.approve(&above).await.unwrap_err()), refused);
    assert_absent(&tree.sibling, &own).await;
}

async fn shown(client: &Client, id: &str) -> pb::Customer {
    client.get(id).await.unwrap()
}

async fn assert_absent(account: &TestAccount, id: &str) {
    assert_refused(account.admin.get(id).await, Code::NotFound, "CUSTOMER_NOT_FOUND");
}
