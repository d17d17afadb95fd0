//! Every RPC of the contract: who may call it, and that it neither shows nor changes data of other accounts. A new RPC
//! fails the first test until it has its line in the table, which gives a case for both.

pub mod cases;

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, MethodDescriptor, Value};
use tonic::Code;

use self::cases::{CASES, Case, FREE, Tenancy, feature, rate_plan};
use crate::{
    billing::{activate, create_feature, create_plan},
    invitations::{invited, token_by_key},
    rows::rows,
    world::{
        Client, ISSUER, SERVICE, TestAccount, World, assert_refused, customer, database, manual_approval, metadata,
        unknown_id, wire,
    },
};
use clientele::{
    domain::requests::contract,
    grpc::{DESCRIPTORS, pb},
};

/// The RPCs of the contract, as `Case::rpc` names them.
fn described() -> Vec<(String, MethodDescriptor)> {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let ours: Vec<_> = pool.services().filter(|service| service.package_name() == "clientele.v1").collect();
    let rpcs = ours.iter().flat_map(|service| {
        service.methods().map(|method| (format!("{}/{}", service.name(), method.name()), method)).collect::<Vec<_>>()
    });
    rpcs.collect()
}

#[test]
fn every_rpc_has_a_tenancy_case_and_a_role_case() {
    let described: BTreeSet<String> = described().into_iter().map(|(name, _)| name).collect();
    let cases: BTreeSet<String> = CASES.iter().map(|case| case.rpc.to_owned()).collect();
    assert_eq!(described, cases, "each RPC of the contract needs its line in CASES");
    assert_eq!(CASES.len(), cases.len(), "one line each");
    assert_eq!(contract::RPCS.len(), cases.len(), "the server has the same RPCs");
}

#[test]
fn the_contract_names_the_least_role_of_the_design() {
    let pool = DescriptorPool::decode(DESCRIPTORS).unwrap();
    let access = pool.get_extension_by_name("clientele.v1.access").unwrap();
    let names = pool.get_enum_by_name("clientele.v1.Access").unwrap();
    for (name, method) in described() {
        let case = CASES.iter().find(|case| case.rpc == name).unwrap();
        let Value::EnumNumber(number) = *method.options().get_extension(&access) else { panic!("{name}") };
        let option = names.get_value(number).unwrap().name().to_owned();
        assert_eq!(option, format!("ACCESS_{}", case.least), "{name}");
    }
}

const ROLES: [(&str, pb::Role); 4] = [
    ("VIEWER", pb::Role::Viewer),
    ("MEMBER", pb::Role::Member),
    ("SERVICE_MANAGER", pb::Role::ServiceManager),
    ("ADMIN", pb::Role::Admin),
];

/// The resource that an RPC is called on: a new one for each call, so that calls do not affect each other.
pub async fn subject(case: &Case, test_account: &TestAccount, caller: &Client) -> String {
    if ["ActivateFeature", "DeactivateFeature", "UpdateFeature"].iter().any(|rpc| case.rpc.ends_with(rpc)) {
        // It may be there already.
        let provider = test_account.admin.acting_in(&test_account.tenant);
        _ = create_feature(&provider, feature(FREE)).await;
    }
    if ["SetCreditLimit", "AssignRatePlan"].iter().any(|rpc| case.rpc.ends_with(rpc)) {
        plan(test_account, &unknown_id()).await;
        plan(test_account, &unknown_id()).await;
    }
    match case.tenancy {
        Tenancy::Customer => {
            // On a FLEET customer every member may set a missing custom ID.
            let id = match case.rpc {
                "CustomerService/UpdateCustomId" => test_account.admin.create(fleet("Ada")).await.unwrap().id,
                _ => test_account.admin.create(customer("Ada")).await.unwrap().id,
            };
            let active = [
                "SuspendCustomer",
                "ResumeCustomer",
                "MigrateCustomerToReseller",
                "RevertCustomerMigration",
                "ActivateFeature",
                "DeactivateFeature",
            ];
            if active.iter().any(|rpc| case.rpc.ends_with(rpc)) {
                test_account.admin.approve(&id).await.unwrap();
            }
            if case.rpc.ends_with("MergeCustomers") {
                test_account.admin.create(customer("Twin")).await.unwrap();
            }
            if case.rpc.ends_with("UnmergeCustomers") {
                let into = test_account.admin.create(customer("Survivor")).await.unwrap().id;
                test_account.admin.merge(&into, &[&id]).await.unwrap();
            }
            if case.rpc.ends_with("RevertCustomerMigration") {
                test_account.admin.migrate(&id).await.unwrap();
            }
            if case.rpc.starts_with("BillingService/DeactivateFeature") {
                activate(&test_account.admin, &id, FREE, 1).await.unwrap();
            }
            id
        }
        Tenancy::RatePlan => plan(test_account, &unknown_id()).await,
        Tenancy::Acting if case.rpc.ends_with("ReorderRatePlans") => {
            plan(test_account, &unknown_id()).await;
            plan(test_account, &unknown_id()).await
        }
        // These act on an account below.
        Tenancy::Account if ["SuspendAccount", "ResumeAccount"].iter().any(|rpc| case.rpc.ends_with(rpc)) => {
            test_account.child("below").await.account
        }
        Tenancy::Account => test_account.account.clone(),
        Tenancy::CustomId => custom_id(test_account, "Ada").await,
        Tenancy::Tag => tag(test_account, &unknown_id()).await,
        Tenancy::Branch => test_account.branch(&unknown_id()).await,
        Tenancy::Member => test_account.add(&unknown_id(), pb::Role::Viewer).await.member_id,
        Tenancy::Membership => {
            let me = caller.access().who_am_i(pb::WhoAmIRequest::default()).await.unwrap().into_inner();
            let below = test_account.child("below").await;
            below.add(&me.principal.unwrap().subject, pb::Role::Viewer).await.member_id
        }
        Tenancy::Invitation => invitation(test_account).await,
        Tenancy::InvitationToken => {
            let below = test_account.child("below").await;
            token_by_key(&below.tenant, &invitation(&below).await)
        }
        Tenancy::Acting | Tenancy::Caller | Tenancy::Platform | Tenancy::Provider => String::new(),
    }
}

/// A new rate plan of the account.
async fn plan(test_account: &TestAccount, name: &str) -> String {
    create_plan(&test_account.admin, rate_plan(name)).await.unwrap().id
}

/// Asserts that a caller with the role was admitted: what is the provider's is refused by its own reason, below it.
pub fn assert_admitted(case: &Case, answer: Result<String, tonic::Status>, who: &str) {
    match (case.tenancy, answer) {
        (Tenancy::Provider, answer) => {
            drop(assert_refused(answer, Code::PermissionDenied, "ACCOUNT_ABOVE_REQUIRED"));
        }
        (_, answer) => assert!(answer.is_ok(), "{} as {who}: {answer:?}", case.rpc),
    }
}

/// A new invitation to the account.
async fn invitation(test_account: &TestAccount) -> String {
    invited(test_account, &format!("{}@north.example", unknown_id())).await.invitation_id
}

/// A server for whose issuer the token of an invitation suffices: the callers here have no email address.
pub async fn world() -> World {
    World::start_with(database().await, |config| config.mail.emailless_issuers = vec![ISSUER.to_owned()]).await
}

fn fleet(name: &str) -> pb::Customer {
    pb::Customer { reach: pb::Reach::Fleet.into(), ..customer(name) }
}

/// The custom ID of a new customer of the account.
async fn custom_id(test_account: &TestAccount, name: &str) -> String {
    let custom_id = unknown_id();
    let custom_ids = [("default".to_owned(), custom_id.clone())].into();
    test_account.admin.create(pb::Customer { custom_ids, ..customer(name) }).await.unwrap();
    custom_id
}

/// A new tag of the account.
async fn tag(test_account: &TestAccount, name: &str) -> String {
    let request = pb::CreateTagRequest { name: name.to_owned(), ..Default::default() };
    test_account.admin.tags().create_tag(request).await.unwrap().into_inner().tag.unwrap().id
}

#[tokio::test]
async fn roles_below_the_least_role_are_refused_and_the_others_admitted() {
    let world = world().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let north = acme.child("north").await;
    let mut members = Vec::new();
    for (name, role) in ROLES {
        members.push((name, north.member(role).await));
    }
    for case in CASES {
        let rank = |name: &str| ROLES.iter().position(|(role, _)| *role == name);
        for (name, client) in &members {
            // The role is checked before the message, so a refusal needs no resource.
            let refused = match (case.least, rank(case.least)) {
                ("AUTHENTICATED", _) => false,
                ("PLATFORM", _) => true,
                (_, Some(least)) => rank(name).unwrap() < least,
                (least, None) => panic!("{least}?"),
            };
            if refused {
                let refusal = (case.call)(client.clone(), String::new()).await;
                let refusal = assert_refused(refusal, Code::PermissionDenied, "ROLE_TOO_LOW");
                assert_eq!(metadata(&refusal, "required_role").as_deref(), Some(case.least), "{} {name}", case.rpc);
            } else {
                let answer = (case.call)(client.clone(), subject(case, &north, client).await).await;
                assert_admitted(case, answer, name);
            }
        }
        if case.least == "PLATFORM" {
            let answer = (case.call)(world.operator(), String::new()).await;
            assert!(answer.is_ok(), "{}: {answer:?}", case.rpc);
        }
    }
}

#[tokio::test]
async fn a_membership_that_waits_counts_where_it_is_named_and_nowhere_else() {
    let world = world().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, manual_approval()).await;
    let north = acme.child("north").await;
    let deep = north.child("deep").await;
    for (name, role) in ROLES {
        let waiting = north.member(role).await;
        let (by_tenant, above) = (waiting.in_tenant(&acme.tenant), waiting.acting_in(&acme.account));
        for case in CASES {
            let Some(least) = ROLES.iter().position(|(role, _)| *role == case.least) else { continue };
            // Without the account's name there is nothing that it could act in, whatever the RPC asks for.
            for unnamed in [Client { account: None, ..waiting.clone() }, Client { account: None, ..by_tenant.clone() }]
            {
                let refused = (case.call)(unnamed, unknown_id()).await;
                let refused = assert_refused(refused, Code::InvalidArgument, "ACCOUNT_REQUIRED");
                assert_eq!(metadata(&refused, "waiting_memberships").as_deref(), Some("1"), "{}", case.rpc);
            }
            assert_refused((case.call)(above.clone(), unknown_id()).await, Code::NotFound, "ACCOUNT_NOT_FOUND");
            // In the account and below it, it has its role.
            let admitted = ROLES.iter().position(|(role, _)| *role == name).unwrap() >= least;
            for test_account in [&north, &deep] {
                let id = subject(case, test_account, &waiting).await;
                let answer = (case.call)(waiting.acting_in(&test_account.account), id).await;
                match admitted {
                    true => assert_admitted(case, answer, name),
                    false => drop(assert_refused(answer, Code::PermissionDenied, "ROLE_TOO_LOW")),
                }
            }
        }
    }
}

#[tokio::test]
async fn a_caller_without_membership_is_refused() {
    let world = world().await;
    let acme = world.tenant("acme").await;
    for case in CASES {
        let call = |client: Client| (case.call)(client, String::new());
        assert_refused(call(world.without_token()).await, Code::Unauthenticated, "TOKEN_MISSING");
        assert_refused(call(world.bearer("a.b.c".to_owned())).await, Code::Unauthenticated, "TOKEN_INVALID");
        let stranger = world.subject("stranger");
        match case.least {
            "AUTHENTICATED" if case.tenancy == Tenancy::Membership => {
                let refused = (case.call)(stranger, unknown_id()).await;
                assert_refused(refused, Code::NotFound, "MEMBERSHIP_NOT_FOUND");
            }
            "AUTHENTICATED" if case.tenancy == Tenancy::InvitationToken => {
                let refused = (case.call)(stranger, unknown_id()).await;
                assert_refused(refused, Code::NotFound, "INVITATION_NOT_FOUND");
            }
            "AUTHENTICATED" => assert!(call(stranger).await.is_ok(), "{}", case.rpc),
            "PLATFORM" => {
                // A service principal is not a platform operator.
                for client in [stranger, world.subject(SERVICE).in_tenant(&acme.tenant)] {
                    let refusal = assert_refused(call(client).await, Code::PermissionDenied, "ROLE_TOO_LOW");
                    assert_eq!(metadata(&refusal, "required_role").as_deref(), Some("PLATFORM"), "{}", case.rpc);
                }
            }
            _ => {
                // A platform operator has no role in a tenant.
                for client in [stranger, world.operator()] {
                    for client in [client.clone(), client.acting_in(&acme.account), client.in_tenant(&acme.tenant)] {
                        assert_refused(call(client).await, Code::PermissionDenied, "NOT_A_MEMBER");
                    }
                }
            }
        }
    }
}

/// A tenant with two sibling accounts, and another tenant. Each has a customer and a member that the others must not see.
struct Fixture {
    world: World,
    /// An ADMIN of north only.
    caller: Client,
    north: TestAccount,
    /// Customers that the caller must not see: above it (LOCAL), its sibling's, another tenant's.
    customers: Vec<String>,
    /// Custom IDs, tags and branches of the same accounts.
    custom_ids: Vec<String>,
    tags: Vec<String>,
    branches: Vec<String>,
    /// Rate plans of the same accounts.
    rate_plans: Vec<String>,
    /// Members of the same accounts.
    members: Vec<String>,
    /// Invitations to the same accounts.
    invitations: Vec<String>,
    /// Accounts in which the caller cannot act: above it, its sibling, another tenant's.
    accounts: Vec<String>,
    /// Texts that no answer to the caller may contain.
    secrets: Vec<String>,
}

impl Fixture {
    async fn set() -> Self {
        let world = world().await;
        let policies = manual_approval();
        let acme = world.tenant_with("acme", pb::NameUniqueness::None, policies.clone()).await;
        let globex = world.tenant_with("globex", pb::NameUniqueness::None, policies).await;
        let (north, south) = (acme.child("north").await, acme.child("south").await);
        let (mut customers, mut secrets) = (Vec::new(), vec!["secret".to_owned()]);
        for test_account in [&acme, &south, &globex] {
            customers.push(test_account.admin.create(customer("secret")).await.unwrap().id);
        }
        for test_account in [&south, &globex] {
            secrets.push(test_account.account.clone());
        }
        let (mut secret_ids, mut tags, mut branches) = (Vec::new(), Vec::new(), Vec::new());
        // That of acme is inherited.
        let mut rate_plans = vec![plan(&acme, "above").await];
        for test_account in [&south, &globex] {
            rate_plans.push(plan(test_account, "secret").await);
        }
        secrets.extend(rate_plans[1..].iter().cloned());
        create_feature(&globex.admin, feature("secret")).await.unwrap();
        // Those of acme are inherited, so they are no secret.
        let mut members = vec![acme.add("above", pb::Role::Viewer).await.member_id];
        for test_account in [&south, &globex] {
            members.push(test_account.add("secret", pb::Role::Viewer).await.member_id);
        }
        secrets.extend(members[1..].iter().cloned());
        for test_account in [&acme, &south, &globex] {
            secret_ids.push(custom_id(test_account, "secret").await);
            tags.push(tag(test_account, "secret").await);
            branches.push(test_account.branch("secret").await);
        }
        secrets.extend(customers.iter().chain(&secret_ids).chain(&tags).chain(&branches).cloned());
        let mut invitations = Vec::new();
        for test_account in [&acme, &south, &globex] {
            invitations.push(invitation(test_account).await);
        }
        secrets.extend(invitations.iter().cloned());
        let caller = north.member(pb::Role::Admin).await;
        let accounts = vec![acme.account, south.account, globex.account];
        Self {
            world,
            caller,
            north,
            customers,
            custom_ids: secret_ids,
            tags,
            branches,
            rate_plans,
            members,
            invitations,
            accounts,
            secrets,
        }
    }

    /// Asserts that every call is refused like the last one, whose resource does not exist, and changes nothing.
    async fn all_absent(&self, case: &Case, calls: Vec<(Client, String)>, code: Code, reason: &str) {
        let before = rows(&self.world).await;
        let mut refusals = Vec::new();
        for (client, id) in calls {
            refusals.push(wire(&assert_refused((case.call)(client, id).await, code, reason)));
        }
        assert!(refusals.windows(2).all(|pair| pair[0] == pair[1]), "{} leaks existence: {refusals:?}", case.rpc);
        assert_eq!(rows(&self.world).await, before, "{}", case.rpc);
    }
}

#[tokio::test]
async fn resources_of_other_accounts_do_not_exist() {
    let fixture = Box::pin(Fixture::set()).await;
    for case in CASES {
        let (subjects, reason) = match case.tenancy {
            Tenancy::Customer => (&fixture.customers, "CUSTOMER_NOT_FOUND"),
            Tenancy::Account => (&fixture.accounts, "ACCOUNT_NOT_FOUND"),
            Tenancy::CustomId => (&fixture.custom_ids, "CUSTOMER_NOT_FOUND"),
            Tenancy::Tag => (&fixture.tags, "TAG_NOT_FOUND"),
            Tenancy::Branch => (&fixture.branches, "BRANCH_NOT_FOUND"),
            Tenancy::RatePlan => (&fixture.rate_plans, "RATE_PLAN_NOT_FOUND"),
            Tenancy::Member => (&fixture.members, "MEMBER_NOT_FOUND"),
            Tenancy::Membership => (&fixture.members, "MEMBERSHIP_NOT_FOUND"),
            Tenancy::Invitation => (&fixture.invitations, "INVITATION_NOT_FOUND"),
            // Its token opens an invitation for whoever is invited: accept_invitation.rs.
            Tenancy::InvitationToken | Tenancy::Acting | Tenancy::Caller | Tenancy::Platform | Tenancy::Provider => {
                continue;
            }
        };
        let named = subjects.iter().cloned().chain([unknown_id()]);
        let calls = named.map(|id| (fixture.caller.clone(), id)).collect();
        fixture.all_absent(case, calls, Code::NotFound, reason).await;
    }
}

#[tokio::test]
async fn callers_cannot_act_in_accounts_or_tenants_of_others() {
    let fixture = Box::pin(Fixture::set()).await;
    let elsewhere = |case: &&Case| {
        matches!(case.tenancy, Tenancy::Caller | Tenancy::Membership | Tenancy::InvitationToken | Tenancy::Platform)
    };
    for case in CASES.iter().filter(|case| !elsewhere(case)) {
        let id = subject(case, &fixture.north, &fixture.caller).await;
        let named = fixture.accounts.iter().cloned().chain([unknown_id()]);
        let calls = named.map(|account| (fixture.caller.acting_in(&account), id.clone())).collect();
        fixture.all_absent(case, calls, Code::NotFound, "ACCOUNT_NOT_FOUND").await;

        let named = [fixture.accounts[2].clone(), unknown_id()];
        let calls = named.into_iter().map(|tenant| (fixture.caller.in_tenant(&tenant), id.clone())).collect();
        fixture.all_absent(case, calls, Code::PermissionDenied, "NOT_A_MEMBER").await;
    }
}

#[tokio::test]
async fn no_answer_shows_data_of_other_accounts() {
    let fixture = Box::pin(Fixture::set()).await;
    let elsewhere = [Tenancy::Platform, Tenancy::Provider];
    for case in CASES.iter().filter(|case| !elsewhere.contains(&case.tenancy)) {
        let id = subject(case, &fixture.north, &fixture.caller).await;
        let answer = (case.call)(fixture.caller.clone(), id).await.unwrap();
        for secret in &fixture.secrets {
            assert!(!answer.contains(secret), "{} shows {secret}: {answer}", case.rpc);
        }
    }
}

#[tokio::test]
async fn rpcs_of_the_caller_and_of_the_platform_ignore_the_acting_account() {
    let fixture = Box::pin(Fixture::set()).await;
    let elsewhere = [fixture.accounts[1].clone(), fixture.accounts[2].clone(), unknown_id()];
    for case in CASES {
        let client = match case.tenancy {
            Tenancy::Caller | Tenancy::Membership | Tenancy::InvitationToken => &fixture.caller,
            Tenancy::Platform => &fixture.world.operator(),
            _ => continue,
        };
        for account in &elsewhere {
            let answer = (case.call)(client.acting_in(account), subject(case, &fixture.north, client).await).await;
            // The platform must not see what is below a tenant's provider.
            let below = fixture.customers.iter().chain([&fixture.accounts[1], &fixture.north.account]);
            let hidden: Vec<_> =
                if case.tenancy != Tenancy::Platform { fixture.secrets.iter().collect() } else { below.collect() };
            let answer = answer.unwrap();
            assert!(hidden.iter().all(|secret| !answer.contains(secret.as_str())), "{}: {answer}", case.rpc);
        }
    }
}
