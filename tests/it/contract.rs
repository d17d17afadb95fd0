//! Every RPC of the contract: who may call it, and that nobody else's data shows or changes by it. A new RPC fails the
//! first test until it has its line in the table, which is a case of both.

use std::{collections::BTreeSet, pin::Pin};

use clientele::{
    domain::contract,
    grpc::{DESCRIPTORS, pb},
};
use prost_reflect::{DescriptorPool, MethodDescriptor, Value};
use tonic::{Code, Status};
use uuid::Uuid;

use crate::{
    rows::rows,
    world::{
        Client, SERVICE, Seat, World, assert_refused, customer, mask, metadata, pending_first, principal, unknown_id,
        wire,
    },
};

/// One RPC, and what its cases need.
struct Case {
    /// As in `CustomerService/GetCustomer`.
    rpc: &'static str,
    /// Who may call it at least, as DESIGN 3's table has it.
    least: &'static str,
    tenancy: Tenancy,
    call: Call,
}

/// By what an RPC could reach what is not the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tenancy {
    /// It names a customer.
    Customer,
    /// It names an account.
    Account,
    /// It names nothing: the acting account decides.
    Acting,
    /// It tells of the caller, whatever it acts in.
    Caller,
    /// It is outside all tenants.
    Platform,
}

/// The whole answer as text, or the refusal.
type Answer = Pin<Box<dyn Future<Output = Result<String, Status>> + Send>>;
/// Calls the RPC, on the customer or account of this id if it names one.
type Call = fn(Client, String) -> Answer;

macro_rules! call {
    ($service:ident.$rpc:ident, $id:pat => $request:expr) => {
        |client, $id| Box::pin(async move { Ok(format!("{:?}", client.$service().$rpc($request).await?.into_inner())) })
    };
}

const fn case(rpc: &'static str, least: &'static str, tenancy: Tenancy, call: Call) -> Case {
    Case { rpc, least, tenancy, call }
}

const CASES: &[Case] = &[
    case("AccessService/WhoAmI", "AUTHENTICATED", Tenancy::Caller, call!(access.who_am_i, _ => pb::WhoAmIRequest {})),
    case("AccessService/AddMember", "ADMIN", Tenancy::Acting, call!(access.add_member, _ => add_member())),
    case(
        "AccessService/ListMembers",
        "VIEWER",
        Tenancy::Acting,
        call!(access.list_members, _ => pb::ListMembersRequest { include_inherited: true, ..Default::default() }),
    ),
    case(
        "AccountService/CreateTenant",
        "PLATFORM",
        Tenancy::Platform,
        call!(accounts.create_tenant, _ => new_tenant()),
    ),
    case(
        "AccountService/ListTenants",
        "PLATFORM",
        Tenancy::Platform,
        call!(accounts.list_tenants, _ => pb::ListTenantsRequest::default()),
    ),
    case("AccountService/CreateAccount", "ADMIN", Tenancy::Acting, call!(accounts.create_account, _ => new_account())),
    case(
        "AccountService/GetAccount",
        "VIEWER",
        Tenancy::Account,
        call!(accounts.get_account, account_id => pb::GetAccountRequest { account_id }),
    ),
    case(
        "AccountService/ListAccounts",
        "VIEWER",
        Tenancy::Acting,
        call!(accounts.list_accounts, _ => pb::ListAccountsRequest { include_descendants: true, ..Default::default() }),
    ),
    case(
        "CustomerService/CreateCustomer",
        "MEMBER",
        Tenancy::Acting,
        call!(customers.create_customer, _ => pb::CreateCustomerRequest {
            customer: Some(customer("New")),
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/GetCustomer",
        "VIEWER",
        Tenancy::Customer,
        call!(customers.get_customer, customer_id => pb::GetCustomerRequest {
            customer_id,
            view: pb::CustomerView::Full.into(),
        }),
    ),
    case(
        "CustomerService/UpdateCustomer",
        "MEMBER",
        Tenancy::Customer,
        call!(customers.update_customer, id => pb::UpdateCustomerRequest {
            customer: Some(pb::Customer { id, ..customer("Renamed") }),
            update_mask: Some(mask(&["name"])),
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/ApproveCustomer",
        "ADMIN",
        Tenancy::Customer,
        call!(customers.approve_customer, customer_id => pb::ApproveCustomerRequest { customer_id, ..Default::default() }),
    ),
    case(
        "CustomerService/RejectCustomer",
        "ADMIN",
        Tenancy::Customer,
        call!(customers.reject_customer, customer_id => pb::RejectCustomerRequest {
            customer_id,
            reason: "no".to_owned(),
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/ArchiveCustomers",
        "MEMBER",
        Tenancy::Customer,
        call!(customers.archive_customers, id => pb::ArchiveCustomersRequest {
            customer_ids: vec![id],
            ..Default::default()
        }),
    ),
    case(
        "CustomerService/UnarchiveCustomers",
        "MEMBER",
        Tenancy::Customer,
        call!(customers.unarchive_customers, id => pb::UnarchiveCustomersRequest {
            customer_ids: vec![id],
            ..Default::default()
        }),
    ),
    case(
        "HistoryService/ListCustomerEvents",
        "VIEWER",
        Tenancy::Customer,
        call!(history.list_customer_events, customer_id => pb::ListCustomerEventsRequest {
            customer_id,
            ..Default::default()
        }),
    ),
];

fn add_member() -> pb::AddMemberRequest {
    let someone = Some(principal(&Uuid::new_v4().to_string()));
    pb::AddMemberRequest { principal: someone, role: pb::Role::Viewer.into(), ..Default::default() }
}

fn new_tenant() -> pb::CreateTenantRequest {
    pb::CreateTenantRequest {
        tenant: Some(pb::Tenant { name: "New".to_owned(), ..Default::default() }),
        first_admin: Some(principal("new-admin")),
        ..Default::default()
    }
}

fn new_account() -> pb::CreateAccountRequest {
    pb::CreateAccountRequest {
        account: Some(pb::Account { name: "New".to_owned(), ..Default::default() }),
        ..Default::default()
    }
}

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
        Tenancy::Customer => seat.admin.create(customer("Ada")).await.unwrap().id,
        Tenancy::Account => seat.account.clone(),
        Tenancy::Acting | Tenancy::Caller | Tenancy::Platform => String::new(),
    }
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
        secrets.extend(customers.iter().cloned());
        let caller = north.member(pb::Role::Admin).await;
        let accounts = vec![acme.account, south.account, globex.account];
        Self { world, caller, north, customers, accounts, secrets }
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
