//! Every RPC of the contract: who may call it, and that nobody else's data shows or changes by it. A new RPC fails the
//! first test until it has its line in the table, which is a case of both.

pub mod cases;

use std::collections::BTreeSet;

use prost_reflect::{DescriptorPool, MethodDescriptor, Value};
use tonic::Code;

use self::cases::{CASES, Case, Tenancy};
use crate::{
    rows::rows,
    world::{Client, SERVICE, Seat, World, assert_refused, customer, metadata, pending_first, unknown_id, wire},
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
    assert_eq!(contract::RPCS.len(), cases.len(), "the server knows the same");
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

/// What an RPC is called on: a customer of its own for each call, so that no call meets what another one left.
async fn subject(case: &Case, seat: &Seat) -> String {
    match case.tenancy {
        Tenancy::Customer => {
            // Of a FLEET customer whoever may write fills in a custom ID that is blank.
            let id = match case.rpc {
                "CustomerService/UpdateCustomId" => seat.admin.create(fleet("Ada")).await.unwrap().id,
                _ => seat.admin.create(customer("Ada")).await.unwrap().id,
            };
            let active = ["SuspendCustomer", "ResumeCustomer", "MigrateCustomerToReseller", "RevertCustomerMigration"];
            if active.iter().any(|rpc| case.rpc.ends_with(rpc)) {
                seat.admin.approve(&id).await.unwrap();
            }
            if case.rpc.ends_with("RevertCustomerMigration") {
                seat.admin.migrate(&id).await.unwrap();
            }
            id
        }
        Tenancy::Account => seat.account.clone(),
        Tenancy::Called => called(seat, "Ada").await,
        Tenancy::Tag => tag(seat, &unknown_id()).await,
        Tenancy::Branch => seat.branch(&unknown_id()).await,
        Tenancy::Acting | Tenancy::Caller | Tenancy::Platform => String::new(),
    }
}

fn fleet(name: &str) -> pb::Customer {
    pb::Customer { reach: pb::Reach::Fleet.into(), ..customer(name) }
}

/// A custom ID by which the account calls a new customer.
async fn called(seat: &Seat, name: &str) -> String {
    let custom_id = unknown_id();
    let custom_ids = [("default".to_owned(), custom_id.clone())].into();
    seat.admin.create(pb::Customer { custom_ids, ..customer(name) }).await.unwrap();
    custom_id
}

/// A new tag of the account.
async fn tag(seat: &Seat, name: &str) -> String {
    let request = pb::CreateTagRequest { name: name.to_owned(), ..Default::default() };
    seat.admin.tags().create_tag(request).await.unwrap().into_inner().tag.unwrap().id
}

#[tokio::test]
async fn every_role_below_the_least_is_refused_and_the_others_get_in() {
    let world = World::start().await;
    let acme = world.tenant_with("acme", pb::NameUniqueness::None, pending_first()).await;
    let north = acme.child("north").await;
    let mut members = Vec::new();
    for (name, role) in ROLES {
        members.push((name, north.member(role).await));
    }
    for case in CASES {
        let rank = |name: &str| ROLES.iter().position(|(role, _)| *role == name);
        for (name, client) in &members {
            // The role is looked at before the message: no subject is needed to be refused.
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
                let answer = (case.call)(client.clone(), subject(case, &north).await).await;
                assert!(answer.is_ok(), "{} as {name}: {answer:?}", case.rpc);
            }
        }
        if case.least == "PLATFORM" {
            let answer = (case.call)(world.operator(), String::new()).await;
            assert!(answer.is_ok(), "{}: {answer:?}", case.rpc);
        }
    }
}

#[tokio::test]
async fn whoever_is_no_member_is_refused() {
    let world = World::start().await;
    let acme = world.tenant("acme").await;
    for case in CASES {
        let call = |client: Client| (case.call)(client, String::new());
        assert_refused(call(world.nobody()).await, Code::Unauthenticated, "TOKEN_MISSING");
        assert_refused(call(world.bearer("a.b.c".to_owned())).await, Code::Unauthenticated, "TOKEN_INVALID");
        let stranger = world.subject("stranger");
        match case.least {
            "AUTHENTICATED" => assert!(call(stranger).await.is_ok(), "{}", case.rpc),
            "PLATFORM" => {
                // A role in every tenant is not the platform's.
                for client in [stranger, world.subject(SERVICE).in_tenant(&acme.tenant)] {
                    let refusal = assert_refused(call(client).await, Code::PermissionDenied, "ROLE_TOO_LOW");
                    assert_eq!(metadata(&refusal, "required_role").as_deref(), Some("PLATFORM"), "{}", case.rpc);
                }
            }
            _ => {
                // Nor is the platform's operator anyone in a tenant.
                for client in [stranger, world.operator()] {
                    for client in [client.clone(), client.acting_in(&acme.account), client.in_tenant(&acme.tenant)] {
                        assert_refused(call(client).await, Code::PermissionDenied, "NOT_A_MEMBER");
                    }
                }
            }
        }
    }
}

/// A tenant with two siblings, and another tenant; in each a customer and a member that none of the others may meet.
struct Stage {
    world: World,
    /// An ADMIN of north alone.
    caller: Client,
    north: Seat,
    /// Customers that the caller must not see: above it (LOCAL), its sibling's, another tenant's.
    customers: Vec<String>,
    /// Custom IDs, tags and branches of the same accounts.
    called: Vec<String>,
    tags: Vec<String>,
    branches: Vec<String>,
    /// Accounts out of its reach: above it, its sibling, another tenant's.
    accounts: Vec<String>,
    /// What no answer to the caller may hold.
    secrets: Vec<String>,
}

impl Stage {
    async fn set() -> Self {
        let world = World::start().await;
        let policies = pending_first();
        let acme = world.tenant_with("acme", pb::NameUniqueness::None, policies.clone()).await;
        let globex = world.tenant_with("globex", pb::NameUniqueness::None, policies).await;
        let (north, south) = (acme.child("north").await, acme.child("south").await);
        let (mut customers, mut secrets) = (Vec::new(), vec!["secret".to_owned()]);
        for seat in [&acme, &south, &globex] {
            customers.push(seat.admin.create(customer("secret")).await.unwrap().id);
        }
        for seat in [&south, &globex] {
            secrets.push(seat.account.clone());
            secrets.push(seat.add("secret", pb::Role::Viewer).await.member_id);
        }
        let (mut called_so, mut tags, mut branches) = (Vec::new(), Vec::new(), Vec::new());
        for seat in [&acme, &south, &globex] {
            called_so.push(called(seat, "secret").await);
            tags.push(tag(seat, "secret").await);
            branches.push(seat.branch("secret").await);
        }
        secrets.extend(customers.iter().chain(&called_so).chain(&tags).chain(&branches).cloned());
        let caller = north.member(pb::Role::Admin).await;
        let accounts = vec![acme.account, south.account, globex.account];
        Self { world, caller, north, customers, called: called_so, tags, branches, accounts, secrets }
    }

    /// Asserts that every one of the calls is refused like the last, whose subject does not exist, and changes nothing.
    async fn all_absent(&self, case: &Case, calls: Vec<(Client, String)>, code: Code, reason: &str) {
        let before = rows(&self.world).await;
        let mut told = Vec::new();
        for (client, id) in calls {
            told.push(wire(&assert_refused((case.call)(client, id).await, code, reason)));
        }
        assert!(told.windows(2).all(|pair| pair[0] == pair[1]), "{} leaks existence: {told:?}", case.rpc);
        assert_eq!(rows(&self.world).await, before, "{}", case.rpc);
    }
}

#[tokio::test]
async fn what_is_anothers_does_not_exist() {
    let stage = Stage::set().await;
    for case in CASES {
        let (subjects, reason) = match case.tenancy {
            Tenancy::Customer => (&stage.customers, "CUSTOMER_NOT_FOUND"),
            Tenancy::Account => (&stage.accounts, "ACCOUNT_NOT_FOUND"),
            Tenancy::Called => (&stage.called, "CUSTOMER_NOT_FOUND"),
            Tenancy::Tag => (&stage.tags, "TAG_NOT_FOUND"),
            Tenancy::Branch => (&stage.branches, "BRANCH_NOT_FOUND"),
            Tenancy::Acting | Tenancy::Caller | Tenancy::Platform => continue,
        };
        let named = subjects.iter().cloned().chain([unknown_id()]);
        let calls = named.map(|id| (stage.caller.clone(), id)).collect();
        stage.all_absent(case, calls, Code::NotFound, reason).await;
    }
}

#[tokio::test]
async fn no_one_acts_in_an_account_or_a_tenant_that_is_anothers() {
    let stage = Stage::set().await;
    for case in CASES.iter().filter(|case| !matches!(case.tenancy, Tenancy::Caller | Tenancy::Platform)) {
        let id = subject(case, &stage.north).await;
        let named = stage.accounts.iter().cloned().chain([unknown_id()]);
        let calls = named.map(|account| (stage.caller.acting_in(&account), id.clone())).collect();
        stage.all_absent(case, calls, Code::NotFound, "ACCOUNT_NOT_FOUND").await;

        let named = [stage.accounts[2].clone(), unknown_id()];
        let calls = named.into_iter().map(|tenant| (stage.caller.in_tenant(&tenant), id.clone())).collect();
        stage.all_absent(case, calls, Code::PermissionDenied, "NOT_A_MEMBER").await;
    }
}

#[tokio::test]
async fn no_answer_shows_what_is_anothers() {
    let stage = Stage::set().await;
    for case in CASES.iter().filter(|case| case.tenancy != Tenancy::Platform) {
        let answer = (case.call)(stage.caller.clone(), subject(case, &stage.north).await).await.unwrap();
        for secret in &stage.secrets {
            assert!(!answer.contains(secret), "{} shows {secret}: {answer}", case.rpc);
        }
    }
}

#[tokio::test]
async fn the_callers_own_and_the_platforms_rpcs_read_no_acting_account() {
    let stage = Stage::set().await;
    let elsewhere = [stage.accounts[1].clone(), stage.accounts[2].clone(), unknown_id()];
    for case in CASES {
        let client = match case.tenancy {
            Tenancy::Caller => &stage.caller,
            Tenancy::Platform => &stage.world.operator(),
            _ => continue,
        };
        for account in &elsewhere {
            let answer = (case.call)(client.acting_in(account), String::new()).await;
            // What lies below a tenant's provider is no concern of the platform's.
            let below = stage.customers.iter().chain([&stage.accounts[1], &stage.north.account]);
            let hidden: Vec<_> =
                if case.tenancy == Tenancy::Caller { stage.secrets.iter().collect() } else { below.collect() };
            let answer = answer.unwrap();
            assert!(hidden.iter().all(|secret| !answer.contains(secret.as_str())), "{}: {answer}", case.rpc);
        }
    }
}
