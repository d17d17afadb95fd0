//! `allowed_actions`: for every role, relation and state the actions listed are exactly those that would change the customer, as the
//! same calls under `validate_only` show, in both directions. The table is written by hand, from DESIGN 3.2 and the contract.

use std::collections::BTreeMap;

use clientele::grpc::pb;
use tonic::Status;

use super::{ROLES, Tree, rank};
use crate::{
    billing::{activate, create_feature, create_plan, eur, feature, plan},
    payment_methods::{add, adding, card},
    place_hold::place,
    world::{Client, TestAccount, assert_refused, customer, mask, rounds, unknown_id},
};

/// The states of the customers of each account. ARCHIVED is an ACTIVE one, RESELLER one that was migrated.
const STATES: [&str; 9] =
    ["PENDING", "REJECTED", "ACTIVE", "SUSPENDED", "ARCHIVED", "HELD", "RESELLER", "MERGED", "ERASED"];

/// Each RPC: its least role; whose customers it is for (`whole`: the acting account's and of accounts below it, `link`: FLEET
/// customers of accounts above too); and what it does in each of the states: it `changes` the customer, it is `made` already and
/// succeeds, or it is refused (`no`). A dot is a call that needs another customer than the test has.
const TABLE: &str = "
                                                      PENDING  REJECTED  ACTIVE   SUSPENDED  ARCHIVED  HELD     RESELLER  MERGED   ERASED
    UpdateCustomer             MEMBER           whole  changes  changes   changes  changes    changes   changes  changes   no       no
    AddPaymentMethod           MEMBER           whole  changes  changes   changes  changes    changes   changes  changes   no       no
    SetDefaultPaymentMethod    MEMBER           whole  changes  changes   changes  changes    changes   changes  changes   no       no
    RemovePaymentMethod        MEMBER           whole  changes  changes   changes  changes    changes   changes  changes   no       no
    ModifyCustomerTags         MEMBER           link   changes  changes   changes  changes    changes   changes  changes   no       no
    UpdateCustomId             SERVICE_MANAGER  link   changes  changes   changes  changes    changes   changes  changes   no       no
    ApproveCustomer            ADMIN            whole  changes  changes   made     no         made      made     made      no       no
    RejectCustomer             ADMIN            whole  changes  made      no       no         no        no       no        no       no
    SuspendCustomer            SERVICE_MANAGER  whole  no       no        changes  made       changes   changes  changes   no       no
    ResumeCustomer             SERVICE_MANAGER  whole  no       no        made     changes    made      made     made      no       no
    PlaceHold                  SERVICE_MANAGER  whole  changes  changes   changes  changes    changes   changes  changes   no       no
    ReleaseHold                SERVICE_MANAGER  whole  made     made      made     made       made      changes  made      no       no
    ArchiveCustomers           MEMBER           whole  changes  changes   changes  changes    made      changes  changes   no       no
    UnarchiveCustomers         MEMBER           whole  made     made      made     made       changes   made     made      no       no
    MigrateCustomerToReseller  ADMIN            whole  no       no        changes  no         no        no       made      no       no
    RevertCustomerMigration    ADMIN            whole  no       no        no       no         no        no       changes   no       no
    TransferCustomers          ADMIN            whole  changes  changes   changes  changes    changes   no       changes   no       no
    MergeCustomers             SERVICE_MANAGER  whole  changes  changes   changes  changes    changes   no       .         no       no
    UnmergeCustomers           SERVICE_MANAGER  whole  no       no        no       no         no        no       no        changes  no
    EraseCustomer              ADMIN            whole  changes  changes   changes  changes    changes   no       changes   changes  made
    ActivateFeature            MEMBER           whole  no       no        changes  no         no        changes  changes   no       no
    DeactivateFeature          MEMBER           whole  made     made      changes  changes    changes   changes  changes   no       no
    SetCreditLimit             SERVICE_MANAGER  whole  changes  changes   changes  changes    changes   changes  changes   no       no
    AssignRatePlan             SERVICE_MANAGER  whole  changes  no        changes  no         no        changes  changes   no       no
";

struct Row {
    rpc: &'static str,
    least: &'static str,
    is_link: bool,
    in_state: BTreeMap<&'static str, &'static str>,
}

fn table() -> Vec<Row> {
    let mut lines = TABLE.lines().filter(|line| !line.trim().is_empty());
    let states: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(states, STATES);
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [rpc, least, of] = words[..3] else { panic!("{line}") };
            let in_state: BTreeMap<_, _> = STATES.into_iter().zip(words[3..].iter().copied()).collect();
            assert!(in_state.len() == STATES.len() && words.len() == STATES.len() + 3, "{line}");
            Row { rpc, least, is_link: of == "link", in_state }
        })
        .collect()
}

/// A customer in one of the states, and what calls about it name.
struct Subject {
    state: &'static str,
    id: String,
    /// The payment method that is not the default.
    method: String,
    hold: String,
    /// Another customer of its owner, to merge into it.
    spare: String,
    /// Another account, to transfer it to.
    elsewhere: String,
}

/// What all customers have in common.
struct Terms {
    /// Another rate plan than the first.
    plan: String,
}

async fn terms(provider: &TestAccount) -> Terms {
    for code in ["caller-id", "wake-up"] {
        create_feature(&provider.admin, feature(code)).await.unwrap();
    }
    create_plan(&provider.admin, plan("Standard", &[])).await.unwrap();
    Terms { plan: create_plan(&provider.admin, plan("Value", &[])).await.unwrap().id }
}

/// The customers of an account, one in each state.
async fn subjects(owner: &TestAccount, elsewhere: &str, reach: pb::Reach) -> Vec<Subject> {
    let mut subjects = Vec::new();
    let admin = &owner.admin;
    for state in STATES {
        // A FLEET customer cannot be migrated.
        if state == "RESELLER" && reach == pb::Reach::Fleet {
            continue;
        }
        let made = pb::Customer {
            reach: reach.into(),
            email: format!("{}@x.example", unknown_id()),
            credit_limit: Some(eur(100)),
            ..customer(state)
        };
        let id = admin.create(made).await.unwrap().id;
        let spare = admin.create(pb::Customer { reach: reach.into(), ..customer("spare") }).await.unwrap().id;
        let mut method = String::new();
        for last_four in ["4242", "1881"] {
            let card =
                pb::PaymentMethod { token: format!("tok_{last_four}"), last_four: last_four.to_owned(), ..card() };
            let request = pb::AddPaymentMethodRequest { payment_method: Some(card), ..adding(&id) };
            method = add(admin, &request).await.unwrap().payment_method.unwrap().id;
        }
        if !["PENDING", "REJECTED"].contains(&state) {
            admin.approve(&id).await.unwrap();
        }
        // One with active features is not merged into another one.
        if !["PENDING", "REJECTED", "MERGED"].contains(&state) {
            activate(admin, &id, "caller-id", 1).await.unwrap();
        }
        let mut hold = unknown_id();
        match state {
            "REJECTED" => drop(admin.reject(&id, "no papers").await.unwrap()),
            "SUSPENDED" => drop(crate::suspend_customer::suspend(admin, &id).await.unwrap()),
            "ARCHIVED" => drop(admin.archive(&[&id]).await.unwrap()),
            "HELD" => hold = place(admin, &id, "orders").await.unwrap().holds.remove(0).hold_id,
            "RESELLER" => drop(admin.migrate(&id).await.unwrap()),
            "MERGED" => drop(admin.merge(&spare, &[&id]).await.unwrap()),
            "ERASED" => drop(admin.erase(&id).await.unwrap()),
            _ => {}
        }
        subjects.push(Subject { state, id, method, hold, spare, elsewhere: elsewhere.to_owned() });
    }
    subjects
}

/// Makes a call under `validate_only`. An error, or a blocker that it reports, is a refusal.
#[expect(clippy::too_many_lines, reason = "a call of each RPC")]
async fn validate(rpc: &str, client: &Client, of: &Subject, terms: &Terms) -> Result<(), Status> {
    let (mut customers, mut billing) = (client.customers(), client.billing());
    let (customer_id, customer_ids, validate_only) = (of.id.clone(), vec![of.id.clone()], true);
    let blocked = |count: usize| {
        if count == 0 { Ok(()) } else { Err(Status::failed_precondition("blocked")) }
    };
    macro_rules! call {
        ($service:ident.$method:ident($request:ident { $($field:tt)* })) => {
            $service
                .$method(pb::$request { validate_only, $($field)*, ..Default::default() })
                .await
                .map(tonic::Response::into_inner)
        };
    }
    match rpc {
        "UpdateCustomer" => {
            let changed = pb::Customer { id: customer_id, email: "changed@x.example".to_owned(), ..Default::default() };
            let update_mask = Some(mask(&["email"]));
            call!(customers.update_customer(UpdateCustomerRequest { customer: Some(changed), update_mask })).map(drop)
        }
        "AddPaymentMethod" => {
            let payment_method = Some(pb::PaymentMethod { token: "tok_new".to_owned(), ..card() });
            call!(billing.add_payment_method(AddPaymentMethodRequest { customer_id, payment_method })).map(drop)
        }
        "SetDefaultPaymentMethod" => {
            let payment_method_id = of.method.clone();
            call!(billing.set_default_payment_method(SetDefaultPaymentMethodRequest { customer_id, payment_method_id }))
                .map(drop)
        }
        "RemovePaymentMethod" => {
            let payment_method_id = of.method.clone();
            call!(billing.remove_payment_method(RemovePaymentMethodRequest { customer_id, payment_method_id }))
                .map(drop)
        }
        "ModifyCustomerTags" => {
            let add_tags = vec!["vip".to_owned()];
            call!(customers.modify_customer_tags(ModifyCustomerTagsRequest { customer_ids, add_tags })).map(drop)
        }
        "UpdateCustomId" => {
            let (system, custom_id) = ("erp".to_owned(), unknown_id());
            call!(customers.update_custom_id(UpdateCustomIdRequest { customer_id, system, custom_id })).map(drop)
        }
        "ApproveCustomer" => call!(customers.approve_customer(ApproveCustomerRequest { customer_id })).map(drop),
        "RejectCustomer" => {
            let reason = "no papers".to_owned();
            call!(customers.reject_customer(RejectCustomerRequest { customer_id, reason })).map(drop)
        }
        "SuspendCustomer" => {
            let reason = "unpaid".to_owned();
            call!(customers.suspend_customer(SuspendCustomerRequest { customer_id, reason })).map(drop)
        }
        "ResumeCustomer" => call!(customers.resume_customer(ResumeCustomerRequest { customer_id })).map(drop),
        "PlaceHold" => {
            let (kind, reason) = ("orders".to_owned(), "open orders".to_owned());
            call!(customers.place_hold(PlaceHoldRequest { customer_id, kind, reason })).map(drop)
        }
        "ReleaseHold" => {
            let hold_id = of.hold.clone();
            call!(customers.release_hold(ReleaseHoldRequest { customer_id, hold_id })).map(drop)
        }
        "ArchiveCustomers" => call!(customers.archive_customers(ArchiveCustomersRequest { customer_ids })).map(drop),
        "UnarchiveCustomers" => {
            call!(customers.unarchive_customers(UnarchiveCustomersRequest { customer_ids })).map(drop)
        }
        "MigrateCustomerToReseller" => {
            let done = call!(customers.migrate_customer_to_reseller(MigrateCustomerToResellerRequest { customer_id }));
            blocked(done?.blockers.len())
        }
        "RevertCustomerMigration" => {
            let done = call!(customers.revert_customer_migration(RevertCustomerMigrationRequest { customer_id }));
            blocked(done?.blockers.len())
        }
        "TransferCustomers" => {
            let account_id = of.elsewhere.clone();
            let done = call!(customers.transfer_customers(TransferCustomersRequest { customer_ids, account_id }));
            blocked(done?.blockers.len())
        }
        "MergeCustomers" => {
            let merged_customer_ids = vec![of.spare.clone()];
            let done = call!(customers.merge_customers(MergeCustomersRequest { customer_id, merged_customer_ids }));
            blocked(done?.blockers.len())
        }
        "UnmergeCustomers" => {
            let done = call!(customers.unmerge_customers(UnmergeCustomersRequest { customer_id }))?;
            blocked(done.blockers.len() + done.changed_fields.len())
        }
        "EraseCustomer" => call!(customers.erase_customer(EraseCustomerRequest { customer_id })).map(drop),
        "ActivateFeature" => {
            let (code, quantity) = ("wake-up".to_owned(), 1);
            call!(billing.activate_feature(ActivateFeatureRequest { customer_id, code, quantity })).map(drop)
        }
        "DeactivateFeature" => {
            let code = "caller-id".to_owned();
            call!(billing.deactivate_feature(DeactivateFeatureRequest { customer_id, code })).map(drop)
        }
        "SetCreditLimit" => {
            let credit_limit = Some(eur(50));
            call!(billing.set_credit_limit(SetCreditLimitRequest { customer_id, credit_limit })).map(drop)
        }
        "AssignRatePlan" => {
            let rate_plan_id = terms.plan.clone();
            call!(billing.assign_rate_plan(AssignRatePlanRequest { customer_id, rate_plan_id })).map(drop)
        }
        other => panic!("{other}?"),
    }
}

#[tokio::test]
async fn allowed_actions_are_exactly_those_that_validate_for_every_role_relation_and_state() {
    let tree = Tree::grow().await;
    let terms = terms(&tree.provider).await;
    let (child, middle) = (tree.child.account.as_str(), tree.middle.account.as_str());
    let (local, fleet) = (pb::Reach::Local, pb::Reach::Fleet);
    let relations = [
        ("self", subjects(&tree.middle, child, local).await),
        ("self, FLEET", subjects(&tree.middle, child, fleet).await),
        ("child", subjects(&tree.child, middle, local).await),
        ("grandchild", subjects(&tree.grandchild, middle, local).await),
        ("parent", subjects(&tree.parent, middle, fleet).await),
        ("provider", subjects(&tree.provider, middle, fleet).await),
    ];
    let table = table();
    let mut listed_once: Vec<&str> = Vec::new();
    // All calls take minutes. Two of five, others in each state, are made in every run; all of them at night.
    let (all, mut call) = (rounds(1) > 1, 0_u32);
    for (relation, subjects) in &relations {
        let is_below = ["parent", "provider"].contains(relation);
        let is_fleet = is_below || *relation == "self, FLEET";
        for subject in subjects {
            for (role, client) in &tree.members {
                let what = format!("{role}, {relation}, {}", subject.state);
                let shown = client.get(&subject.id).await.unwrap();
                let may = |row: &Row| {
                    // A blank custom ID of a FLEET customer is filled in by any member.
                    let least = if row.rpc == "UpdateCustomId" && is_fleet { "MEMBER" } else { row.least };
                    let is_its_kind = !(is_fleet && row.rpc == "MigrateCustomerToReseller");
                    rank(role) >= rank(least) && (row.is_link || !is_below) && is_its_kind
                };
                let changes = |row: &&Row| {
                    // The one call of a migrated customer that is not made here is listed as well.
                    may(row) && matches!(row.in_state[subject.state], "changes" | ".")
                };
                let expected: Vec<&str> = table.iter().filter(changes).map(|row| row.rpc).collect();
                assert_eq!(shown.allowed_actions, expected, "{what}");
                listed_once.extend(expected);
                for row in table.iter().filter(|row| row.in_state[subject.state] != ".") {
                    call += 1;
                    if !all && call % 5 > 1 {
                        continue;
                    }
                    let done = validate(row.rpc, client, subject, &terms).await;
                    let succeeds = may(row) && row.in_state[subject.state] != "no";
                    assert_eq!(done.is_ok(), succeeds, "{what}: {}: {done:?}", row.rpc);
                }
            }
        }
    }
    for row in &table {
        assert!(listed_once.contains(&row.rpc), "{} is never allowed", row.rpc);
    }
    // Nothing was changed, and what is out of sight stays so.
    for role in 0..ROLES.len() {
        let client = &tree.members[role].1;
        for owner in [&tree.sibling, &tree.foreign] {
            let id = owner.admin.create(customer("Hidden")).await.unwrap().id;
            assert_refused(client.get(&id).await, tonic::Code::NotFound, "CUSTOMER_NOT_FOUND");
        }
    }
}
