//! Values of a newer release (DESIGN 3.2): while a release rolls out, and after a rollback, an older server meets what a newer one
//! wrote. It shows an unknown value as UNSPECIFIED, refuses to decide by it, and keeps the fields that it does not know.

mod access;
mod changes;
mod reads;
mod requests;
mod words;

use std::collections::BTreeSet;

use clientele::{
    config::Config,
    domain::{
        customers::status::Status,
        history::event_type::EventType,
        requests::contract::RPCS,
        values::enums::{CustomerType, NameUniqueness, Origin, Reach, Role, ServiceClass},
    },
    grpc::pb,
};

use crate::world::{ISSUER, TestAccount, World, database, full_customer, manual_approval};

/// An RPC's name as in `CustomerService/GetCustomer`.
fn short(path: &str) -> &str {
    path.strip_prefix("/clientele.v1.").unwrap()
}

/// RPCs that neither show nor change a customer that exists, and why nothing of a customer matters to them.
const OTHERS: [(&str, &str); 34] = [
    ("ExchangeService/ExportSubjectData", "it shows documents as they are stored"),
    ("AccessService/WhoAmI", "access.rs: roles"),
    ("AccessService/ListMembers", "access.rs: roles"),
    ("AccessService/AcceptMembership", "access.rs: roles"),
    ("AccessService/DeclineMembership", "access.rs: roles"),
    ("AccessService/ChangeMemberRole", "access.rs: roles"),
    ("AccessService/RemoveMember", "access.rs: roles"),
    ("AccessService/AcceptInvitation", "accept_invitation.rs: a state"),
    ("AccessService/ResendInvitation", "accept_invitation.rs: a state"),
    ("AccessService/RevokeInvitation", "accept_invitation.rs: a state"),
    ("AccessService/ListInvitations", "accept_invitation.rs: a state"),
    ("AccountService/ListTenants", "access.rs: rules on names"),
    ("AccountService/GetAccount", "access.rs: policies"),
    ("AccountService/ListAccounts", "access.rs: policies"),
    ("AccountService/ListAccountEvents", "list_account_events.rs: types"),
    ("AccountService/ListBranches", "a branch has no words of a closed set and no document"),
    ("AccountService/ListIndustries", "it only reads a table of the program"),
    ("AccountService/ListReferenceData", "it only reads tables of the program"),
    ("BillingService/ListRatePlans", "a plan has no words of a closed set"),
    ("BillingService/ListFeatures", "a feature's classes are those of customers"),
    ("BillingService/ListActiveFeatures", "it shows no words of the customer"),
    ("BillingService/ListPaymentMethods", "payment_methods.rs: types and channels"),
    ("BillingService/StreamBillingReport", "billing_report.rs: a status"),
    ("CustomerService/CheckNameAvailability", "access.rs: rules on names"),
    ("CustomerService/CreateCustomer", "access.rs: policies and rules on names"),
    // Their answers and the accounts' documents are looked at in changes.rs.
    ("AccessService/AddMember", "it only adds a member"),
    ("AccessService/InviteMember", "it only adds an invitation"),
    ("AccountService/CreateTenant", "it only adds a tenant"),
    ("AccountService/CreateAccount", "it only adds an account"),
    ("AccountService/UpdateAccount", "access.rs: policies and rules on names"),
    ("AccountService/SuspendAccount", "it changes an account"),
    ("AccountService/ResumeAccount", "it changes an account"),
    ("AccountService/SuspendTenant", "it changes a tenant"),
    ("AccountService/ResumeTenant", "it changes a tenant"),
];

/// RPCs that change a list of the account, which no customer's words matter to.
const LISTS: [&str; 11] = [
    "AccountService/CreateBranch",
    "AccountService/UpdateBranch",
    "AccountService/DeleteBranch",
    "TagService/CreateTag",
    "TagService/RenameTag",
    "BillingService/CreateFeature",
    "BillingService/UpdateFeature",
    "BillingService/CreateRatePlan",
    "BillingService/UpdateRatePlan",
    "BillingService/ReorderRatePlans",
    "BillingService/ArchiveRatePlan",
];

#[test]
fn every_rpc_has_its_case() {
    let reads: BTreeSet<&str> = reads::READS.iter().map(|(rpc, _)| *rpc).collect();
    let refused: BTreeSet<&str> = words::REFUSED.into();
    let others: BTreeSet<&str> = OTHERS.iter().map(|(rpc, _)| *rpc).chain(LISTS).collect();
    let all: Vec<&str> = reads.iter().chain(&refused).chain(&others).copied().collect();
    let contract: BTreeSet<&str> = RPCS.iter().map(|rpc| short(rpc.path)).collect();
    assert_eq!(all.iter().copied().collect::<BTreeSet<_>>(), contract, "put a new RPC into READS, REFUSED or OTHERS");
    assert_eq!(all.len(), contract.len(), "into one of them");

    let steps: BTreeSet<&str> = changes::STEPS.iter().map(|step| step.rpc).collect();
    let mutating: BTreeSet<&str> = RPCS.iter().filter(|rpc| rpc.mutates).map(|rpc| short(rpc.path)).collect();
    assert_eq!(steps, mutating, "put a new mutation into STEPS");
    assert!(refused.is_subset(&mutating) && reads.is_disjoint(&mutating));
}

/// Every closed set whose words are stored, with the columns that hold them. A new one needs a case in this file's folder.
#[test]
fn no_word_of_these_tests_is_one_of_this_release() {
    let words = [words::WORDS.map(|(_, word)| word).as_slice(), &access::WORDS, &["ON_TRIAL"]].concat();
    for word in words {
        assert!(!Status::WORDS.contains(&word), "{word}");
        assert!(CustomerType::parse(word).is_none() && ServiceClass::parse(word).is_none(), "{word}");
        assert!(Reach::parse(word).is_none() && Origin::parse(word).is_none() && Role::parse(word).is_none(), "{word}");
        assert!(NameUniqueness::parse(word).is_none() && EventType::parse(word).is_none(), "{word}");
    }
}

/// The field that a newer release has added.
const ADDED: &str = "of_newer_release";

/// A tenant whose admin acts in its reseller, and the reseller's customer.
struct Stage {
    world: World,
    acme: TestAccount,
    north: TestAccount,
    customer: pb::Customer,
}

impl Stage {
    async fn set() -> Self {
        // The admin has no email address, and accepts an invitation all the same.
        let emailless = |config: &mut Config| config.mail.emailless_issuers = vec![ISSUER.to_owned()];
        let world = World::start_with(database().await, emailless).await;
        of_newer_release(&world).await;
        let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
        let north = acme.child("north").await;
        let customer = north.admin.create(full_customer("Copaco")).await.unwrap();
        Self { world, acme, north, customer }
    }

    /// A statement on the customer, which is $1.
    async fn sql(&self, statement: &'static str) {
        let id = uuid::Uuid::parse_str(&self.customer.id).unwrap();
        let done = sqlx::query(statement).bind(id).execute(&mut self.world.sql().await).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{statement}");
    }
}

/// A newer release's migrations allow more words: the checks of this release are dropped.
async fn of_newer_release(world: &World) {
    let dropped: Vec<String> = sqlx::query_scalar(
        "select format('alter table %s drop constraint %I', conrelid::regclass, conname) from pg_constraint
         where contype = 'c' and conrelid in ('customers'::regclass, 'members'::regclass, 'tenants'::regclass)",
    )
    .fetch_all(&mut world.sql().await)
    .await
    .unwrap();
    assert!(dropped.len() >= 7, "{dropped:?}");
    sqlx::raw_sql(sqlx::AssertSqlSafe(dropped.join(";"))).execute(&mut world.sql().await).await.unwrap();
}
