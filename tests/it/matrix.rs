//! Every RPC by role and by the relation of the account that it acts in, or names, to the caller's. The tables are
//! written by hand, from DESIGN and not from the protos; `contract.rs` has callers without a membership.

mod actions;
mod relations;

use std::collections::BTreeMap;

use clientele::grpc::pb;
use tonic::Code;

use crate::{
    contract::{
        assert_admitted,
        cases::{CASES, Case},
        subject, world,
    },
    rows::rows,
    suspend_account::suspend,
    suspend_tenant,
    world::{Client, SERVICE, TestAccount, World, assert_refused, manual_approval, unknown_id},
};

/// Each RPC, its least role, and what an ADMIN gets in a suspended account: `reads`, `refused`, `nothing` where the call
/// of the table would change nothing, which succeeds, or `provider` where only the provider's account will do.
const POLICY: &str = "
    AccountService/CreateAccount                ADMIN            refused
    AccountService/GetAccount                   VIEWER           reads
    AccountService/ListAccounts                 VIEWER           reads
    AccountService/UpdateAccount                ADMIN            refused
    AccountService/SuspendAccount               ADMIN            refused
    AccountService/ResumeAccount                ADMIN            nothing
    AccountService/ListAccountEvents            ADMIN            reads
    AccountService/CreateBranch                 ADMIN            refused
    AccountService/UpdateBranch                 ADMIN            refused
    AccountService/DeleteBranch                 ADMIN            refused
    AccountService/ListBranches                 VIEWER           reads
    AccountService/ListIndustries               VIEWER           reads
    AccountService/ListReferenceData            VIEWER           reads
    AccessService/AddMember                     ADMIN            refused
    AccessService/ChangeMemberRole              ADMIN            refused
    AccessService/RemoveMember                  ADMIN            refused
    AccessService/ListMembers                   VIEWER           reads
    AccessService/InviteMember                  ADMIN            refused
    AccessService/ResendInvitation              ADMIN            refused
    AccessService/RevokeInvitation              ADMIN            refused
    AccessService/ListInvitations               ADMIN            reads
    TagService/ListTags                         VIEWER           reads
    TagService/CreateTag                        MEMBER           refused
    TagService/RenameTag                        SERVICE_MANAGER  refused
    TagService/DeleteTag                        SERVICE_MANAGER  refused
    CustomerService/GetCustomer                 VIEWER           reads
    CustomerService/BatchGetCustomers           VIEWER           reads
    CustomerService/LookupCustomer              VIEWER           reads
    CustomerService/SearchCustomers             VIEWER           reads
    CustomerService/CheckNameAvailability       MEMBER           reads
    CustomerService/FindDuplicateCustomers      VIEWER           reads
    CustomerService/CreateCustomer              MEMBER           refused
    CustomerService/UpdateCustomer              MEMBER           refused
    CustomerService/UpsertCustomer              MEMBER           refused
    CustomerService/UpdateCustomId              MEMBER           refused
    CustomerService/ModifyCustomerTags          MEMBER           refused
    CustomerService/ArchiveCustomers            MEMBER           refused
    CustomerService/UnarchiveCustomers          MEMBER           nothing
    CustomerService/SuspendCustomer             SERVICE_MANAGER  refused
    CustomerService/ResumeCustomer              SERVICE_MANAGER  nothing
    BillingService/AddPaymentMethod             MEMBER           refused
    BillingService/SetDefaultPaymentMethod      MEMBER           refused
    BillingService/RemovePaymentMethod          MEMBER           refused
    BillingService/ListPaymentMethods           VIEWER           reads
    BillingService/StreamBillingReport          MEMBER           reads
    CustomerService/PlaceHold                   SERVICE_MANAGER  refused
    CustomerService/ReleaseHold                 SERVICE_MANAGER  nothing
    CustomerService/ApproveCustomer             ADMIN            refused
    CustomerService/RejectCustomer              ADMIN            refused
    CustomerService/MigrateCustomerToReseller   ADMIN            refused
    CustomerService/RevertCustomerMigration     ADMIN            refused
    CustomerService/TransferCustomers           ADMIN            nothing
    CustomerService/MergeCustomers              SERVICE_MANAGER  refused
    CustomerService/UnmergeCustomers            SERVICE_MANAGER  refused
    CustomerService/EraseCustomer               ADMIN            refused
    ExchangeService/ExportSubjectData           ADMIN            reads
    ExchangeService/ImportCustomers             SERVICE_MANAGER  refused
    HistoryService/ListCustomerEvents           VIEWER           reads
    BillingService/ListRatePlans                VIEWER           reads
    BillingService/CreateRatePlan               ADMIN            refused
    BillingService/UpdateRatePlan               ADMIN            refused
    BillingService/ReorderRatePlans             ADMIN            refused
    BillingService/ArchiveRatePlan              ADMIN            refused
    BillingService/ListFeatures                 VIEWER           reads
    BillingService/CreateFeature                ADMIN            provider
    BillingService/UpdateFeature                ADMIN            provider
    BillingService/ActivateFeature              MEMBER           refused
    BillingService/DeactivateFeature            MEMBER           refused
    BillingService/ListActiveFeatures           VIEWER           reads
    BillingService/SetCreditLimit               SERVICE_MANAGER  refused
    BillingService/AssignRatePlan               SERVICE_MANAGER  refused
";

/// RPCs that act in no account.
const IN_NO_ACCOUNT: [&str; 8] = [
    "AccessService/WhoAmI",
    "AccessService/AcceptMembership",
    "AccessService/DeclineMembership",
    "AccessService/AcceptInvitation",
    "AccountService/CreateTenant",
    "AccountService/ListTenants",
    "AccountService/SuspendTenant",
    "AccountService/ResumeTenant",
];

/// RPCs that name an account, by its relation to the acting one.
const NAMED: &str = "
                          self     child  grandchild  parent  sibling  foreign  unknown
    GetAccount            ok       ok     ok          absent  absent   absent   absent
    UpdateAccount         ok       ok     ok          absent  absent   absent   absent
    ListAccountEvents     ok       ok     ok          absent  absent   absent   absent
    SuspendAccount        above    ok     ok          absent  absent   absent   absent
    ResumeAccount         above    ok     ok          absent  absent   absent   absent
";

const ROLES: [(&str, pb::Role); 4] = [
    ("VIEWER", pb::Role::Viewer),
    ("MEMBER", pb::Role::Member),
    ("SERVICE_MANAGER", pb::Role::ServiceManager),
    ("ADMIN", pb::Role::Admin),
];

fn rank(role: &str) -> usize {
    ROLES.iter().position(|(name, _)| *name == role).unwrap_or_else(|| panic!("{role}?"))
}

/// The table's rows: the RPC's case, its least role, what it does in a suspended account.
fn policy() -> Vec<(&'static Case, &'static str, &'static str)> {
    let mut rows = Vec::new();
    for line in POLICY.lines().filter(|line| !line.trim().is_empty()) {
        let [rpc, least, suspended] = line.split_whitespace().collect::<Vec<_>>()[..] else { panic!("{line}") };
        let case = CASES.iter().find(|case| case.rpc == rpc).unwrap_or_else(|| panic!("{rpc}?"));
        rows.push((case, least, suspended));
    }
    rows
}

#[test]
fn every_rpc_has_its_row() {
    let mut named: Vec<&str> = policy().iter().map(|(case, ..)| case.rpc).chain(IN_NO_ACCOUNT).collect();
    let mut all: Vec<&str> = CASES.iter().map(|case| case.rpc).collect();
    named.sort_unstable();
    all.sort_unstable();
    assert_eq!(named, all);
}

/// A provider, an account in the middle with a parent, a sibling and two generations below, and another tenant.
struct Tree {
    world: World,
    provider: TestAccount,
    parent: TestAccount,
    sibling: TestAccount,
    middle: TestAccount,
    child: TestAccount,
    grandchild: TestAccount,
    foreign: TestAccount,
    /// A member of the one in the middle with each role.
    members: Vec<(&'static str, Client)>,
}

impl Tree {
    async fn grow() -> Self {
        let world = world().await;
        let provider = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
        let parent = provider.child("parent").await;
        let (middle, sibling) = (parent.child("middle").await, parent.child("sibling").await);
        let child = middle.child("child").await;
        let grandchild = child.child("grandchild").await;
        let foreign = world.tenant_with("globex", pb::NameUniqueness::None, manual_approval()).await;
        let mut members = Vec::new();
        for (name, role) in ROLES {
            members.push((name, middle.member(role).await));
        }
        Self { world, provider, parent, sibling, middle, child, grandchild, foreign, members }
    }
}

#[tokio::test]
async fn every_rpc_by_role_and_acting_account() {
    let tree = Tree::grow().await;
    for (case, least, _) in policy() {
        for (role, client) in &tree.members {
            for acting in [&tree.middle, &tree.child, &tree.grandchild] {
                let client = client.acting_in(&acting.account);
                if rank(role) < rank(least) {
                    let refused = (case.call)(client, String::new()).await;
                    assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
                } else {
                    let id = subject(case, acting, &client).await;
                    let answer = (case.call)(client, id).await;
                    assert_admitted(case, answer, role);
                }
            }
            for acting in [&tree.parent, &tree.sibling, &tree.foreign] {
                let refused = (case.call)(client.acting_in(&acting.account), unknown_id()).await;
                assert_refused(refused, Code::NotFound, "ACCOUNT_NOT_FOUND");
            }
        }
    }
}

#[tokio::test]
async fn every_rpc_that_names_an_account_by_its_relation_to_the_acting_one() {
    let tree = Tree::grow().await;
    let mut lines = NAMED.lines().filter(|line| !line.trim().is_empty());
    let relations: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    let ids: BTreeMap<&str, String> = [
        ("self", tree.middle.account.clone()),
        ("child", tree.child.account.clone()),
        ("grandchild", tree.grandchild.account.clone()),
        ("parent", tree.parent.account.clone()),
        ("sibling", tree.sibling.account.clone()),
        ("foreign", tree.foreign.account.clone()),
        ("unknown", unknown_id()),
    ]
    .into();
    for line in lines {
        let (rpc, outcomes) = line.trim().split_once(' ').unwrap();
        let (case, least, _) = policy().into_iter().find(|(case, ..)| case.rpc.ends_with(&format!("/{rpc}"))).unwrap();
        for (relation, outcome) in relations.iter().zip(outcomes.split_whitespace()) {
            for (role, client) in &tree.members {
                let answer = (case.call)(client.clone(), ids[relation].clone()).await;
                let what = format!("{rpc} of {relation} as {role}");
                match outcome {
                    _ if rank(role) < rank(least) => {
                        drop(assert_refused(answer, Code::PermissionDenied, "ROLE_TOO_LOW"));
                    }
                    "ok" => assert!(answer.is_ok(), "{what}: {answer:?}"),
                    "above" => drop(assert_refused(answer, Code::PermissionDenied, "ACCOUNT_ABOVE_REQUIRED")),
                    "absent" => drop(assert_refused(answer, Code::NotFound, "ACCOUNT_NOT_FOUND")),
                    other => panic!("{what}: {other}?"),
                }
            }
        }
        // What was suspended goes on, for the next RPC.
        for id in [&tree.child.account, &tree.grandchild.account] {
            crate::suspend_account::resume(&tree.parent.admin, id).await.unwrap();
        }
    }
}

#[tokio::test]
async fn every_rpc_in_a_suspended_account_and_below_one() {
    let tree = Tree::grow().await;
    // What the calls need is made before: of each role that may call, in the account and below it.
    let mut prepared = Vec::new();
    for acting in [&tree.middle, &tree.child] {
        for (case, least, outcome) in policy() {
            for (role, member) in tree.members.iter().filter(|(role, _)| rank(role) >= rank(least)) {
                let client = member.acting_in(&acting.account);
                let id = subject(case, acting, &client).await;
                prepared.push((case, *role, outcome, client, id));
            }
        }
    }
    suspend(&tree.parent.admin, &tree.middle.account).await.unwrap();
    let before = rows(&tree.world).await;
    for (case, role, outcome, client, id) in prepared {
        let answer = (case.call)(client, id).await;
        match outcome {
            "reads" | "nothing" => assert!(answer.is_ok(), "{} as {role}: {answer:?}", case.rpc),
            // It is not the provider's account in the first place.
            "provider" => drop(assert_refused(answer, Code::PermissionDenied, "ACCOUNT_ABOVE_REQUIRED")),
            "refused" => drop(assert_refused(answer, Code::FailedPrecondition, "ACCOUNT_SUSPENDED")),
            other => panic!("{}: {other}?", case.rpc),
        }
        if role == "ADMIN" {
            assert_eq!(rows(&tree.world).await, before, "{}", case.rpc);
        }
    }
    assert_eq!(rows(&tree.world).await, before);
    // The role comes first: nobody learns more than before.
    for (case, least, _) in policy() {
        for (_, client) in tree.members.iter().filter(|(role, _)| rank(role) < rank(least)) {
            let refused = (case.call)(client.clone(), String::new()).await;
            assert_refused(refused, Code::PermissionDenied, "ROLE_TOO_LOW");
        }
    }
    // Accounts above and beside it work as ever.
    for acting in [&tree.parent, &tree.sibling] {
        for (case, ..) in policy() {
            let answer = (case.call)(acting.admin.clone(), subject(case, acting, &acting.admin).await).await;
            assert_admitted(case, answer, "ADMIN");
        }
    }
}

#[tokio::test]
async fn every_rpc_in_a_suspended_tenant() {
    let tree = Tree::grow().await;
    suspend_tenant::suspend(&tree.world.operator(), &tree.middle.tenant).await.unwrap();
    let service = tree.world.subject(SERVICE).in_tenant(&tree.middle.tenant);
    let before = rows(&tree.world).await;
    for (case, ..) in policy() {
        let below = service.acting_in(&tree.child.account);
        for client in tree.members.iter().map(|(_, client)| client).chain([&service, &below]) {
            let refused = (case.call)(client.clone(), unknown_id()).await;
            assert_refused(refused, Code::PermissionDenied, "TENANT_SUSPENDED");
        }
        // Out of reach is out of reach.
        let elsewhere = tree.members[3].1.acting_in(&tree.sibling.account);
        assert_refused((case.call)(elsewhere, unknown_id()).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
    }
    assert_eq!(rows(&tree.world).await, before);
    for rpc in IN_NO_ACCOUNT {
        let case = CASES.iter().find(|case| case.rpc == rpc).unwrap();
        let operator = tree.world.operator();
        let id = subject(case, &tree.foreign, &operator).await;
        let answer = (case.call)(operator, id).await;
        assert!(answer.is_ok(), "{rpc}: {answer:?}");
    }
    for (case, ..) in policy() {
        let answer =
            (case.call)(tree.foreign.admin.clone(), subject(case, &tree.foreign, &tree.foreign.admin).await).await;
        assert!(answer.is_ok(), "another tenant: {}: {answer:?}", case.rpc);
    }
}
