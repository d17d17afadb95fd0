//! What the rows of a report say of plans, features and credit: as GetCustomer shows them, whatever happened to the customer.

use std::{collections::BTreeMap, fs};

use clientele::grpc::{money::Money, pb};
use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, TestRng, TestRunner},
};
use serde_json::{Value, json};
use tonic::Status;

use super::{Column, Reporting, Row, rows, shown};
use crate::{
    billing::{
        activate, archive_plan, assign, chargeable, create_feature, create_plan, deactivate, eur, feature, plan,
        set_limit, update_plan,
    },
    processes::{clientele, output, path, temp_dir},
    world::{Client, TestAccount, World, customer},
};

/// The catalogue: one feature is free, one is for RESIDENTIAL customers only.
const CODES: [&str; 5] = ["caller-id", "fax", "family", "trunk", "voicemail"];
const STEPS: usize = 400;

/// Plans as they were last answered, by id.
type Plans = BTreeMap<String, pb::RatePlan>;

/// Customers in accounts of one tenant, with what they have.
struct Sold {
    accounts: Vec<TestAccount>,
    plans: Plans,
    customers: Vec<String>,
    /// How many steps of each kind were not refused.
    done: BTreeMap<&'static str, usize>,
}

impl Sold {
    fn note<T>(&mut self, kind: &'static str, answer: &Result<T, Status>) {
        *self.done.entry(kind).or_default() += usize::from(answer.is_ok());
    }

    async fn add_plan(&mut self, at: usize, made: pb::RatePlan) -> Result<(), Status> {
        let made = create_plan(&self.accounts[at].admin, made).await?;
        self.plans.insert(made.id.clone(), made);
        Ok(())
    }

    /// One step: what it does, and numbers that choose to whom.
    async fn step(&mut self, kind: u8, at: usize, one: usize, other: usize, count: u16) {
        let account = self.accounts[at % self.accounts.len()].admin.clone();
        let top = self.accounts[0].admin.clone();
        let id = self.customers.get(one % self.customers.len().max(1)).cloned().unwrap_or_default();
        let code = CODES[other % CODES.len()];
        let named = self.plans.keys().nth(other % self.plans.len().max(1)).cloned().unwrap_or_default();
        match kind {
            0..=4 => {
                let residential = count.is_multiple_of(3);
                let class = if residential { pb::ServiceClass::Residential } else { pb::ServiceClass::Normal };
                let wanted = pb::Customer {
                    service_class: class.into(),
                    credit_limit: (!count.is_multiple_of(4))
                        .then(|| Money { units: count.into(), ..Default::default() }),
                    rate_plan_id: if kind == 0 { named } else { String::new() },
                    reach: if kind == 1 { pb::Reach::Fleet } else { pb::Reach::Local }.into(),
                    ..customer(&format!("Customer {one} {other}"))
                };
                let owner = self.plans.get(&wanted.rate_plan_id).map(|plan| plan.account_id.clone());
                let made = owner.map_or(account, |owner| top.acting_in(&owner)).create(wanted).await;
                self.note(if kind == 0 { "chose a plan" } else { "created" }, &made);
                self.customers.extend(made.map(|made| made.id));
            }
            5..=9 => {
                let answer = activate(&top, &id, code, i32::from(count) + 1).await;
                self.note("activated", &answer);
            }
            10 => {
                let answer = deactivate(&top, &id, code).await;
                self.note("deactivated", &answer);
            }
            11 | 12 => {
                let limit = Money { units: 10 * i64::from(count), nanos: 10_000_000, ..Default::default() };
                let answer = set_limit(&top, &id, (!count.is_multiple_of(5)).then_some(limit)).await;
                self.note("limited", &answer);
            }
            13 | 14 => {
                let answer = assign(&top, &id, &named).await;
                self.note("assigned", &answer);
            }
            15 => {
                let priced = Money { units: (count % 7).into(), nanos: 123_456_789, ..Default::default() };
                let Some(before) = self.plans.get(&named) else { return };
                let owner = top.acting_in(&before.account_id);
                let edit = pb::RatePlan {
                    id: named.clone(),
                    prices: [(code.to_owned(), priced)].into(),
                    ..Default::default()
                };
                let answer = update_plan(&owner, edit, &[&format!("prices.{code}")]).await;
                self.note("repriced", &answer);
            }
            16 => {
                let answer = top.archive(&[&id]).await;
                self.note("archived", &answer);
            }
            17 => {
                let to = self.accounts[other % self.accounts.len()].account.clone();
                let answer = top.transfer(&[&id], &to).await;
                self.note("transferred", &answer);
            }
            18 => {
                let email = pb::Customer { id: id.clone(), email: "a@b.example".to_owned(), ..Default::default() };
                _ = top.update(email, &["email"]).await;
                let answer = top.migrate(&id).await;
                self.note("migrated", &answer);
            }
            _ => {
                let made = pb::RatePlan {
                    currency: if count.is_multiple_of(5) { "USD".to_owned() } else { "EUR".to_owned() },
                    ..plan(&format!("Plan {count}"), &[])
                };
                let prices = CODES[..=other % CODES.len()].iter().map(|code| {
                    let price = Money { units: (count % 9).into(), nanos: 10_000_000, ..Default::default() };
                    ((*code).to_owned(), price)
                });
                let made = pb::RatePlan { prices: prices.collect(), ..made };
                let place = at % self.accounts.len();
                let answer = self.add_plan(place, made).await;
                self.note("planned", &answer);
                if count.is_multiple_of(3)
                    && let Some(old) = self.plans.get(&named)
                {
                    let answer = archive_plan(&top.acting_in(&old.account_id), &named).await;
                    self.note("plan archived", &answer);
                }
            }
        }
    }
}

async fn sold(world: &World) -> Sold {
    let acme = world.tenant("acme").await;
    let (north, south) = (acme.child("north").await, acme.child("south").await);
    let shop = north.child("shop").await;
    for code in CODES {
        let residential = vec![pb::ServiceClass::Residential.into()];
        let wanted = match code {
            "caller-id" => feature(code),
            "family" => pb::Feature { service_classes: residential, ..chargeable(code) },
            _ => pb::Feature { name: format!("The {code}"), ..chargeable(code) },
        };
        create_feature(&acme.admin, wanted).await.unwrap();
    }
    let accounts = vec![acme, north, south, shop];
    Sold { accounts, plans: Plans::new(), customers: Vec::new(), done: BTreeMap::new() }
}

/// A customer with several features, whose price has risen above its limit.
async fn over_its_limit(sold: &mut Sold) {
    sold.add_plan(0, plan("Last", &[("fax", 1), ("voicemail", 1)])).await.unwrap();
    let last = sold.plans.values().find(|plan| plan.name == "Last").unwrap().clone();
    let admin = sold.accounts[0].admin.clone();
    let wanted =
        pb::Customer { credit_limit: Some(eur(10)), rate_plan_id: last.id.clone(), ..customer("Over its limit") };
    let id = admin.create(wanted).await.unwrap().id;
    for (code, quantity) in [("caller-id", 1), ("fax", 2), ("voicemail", 3)] {
        activate(&admin, &id, code, quantity).await.unwrap();
    }
    let risen = Money { units: 5, nanos: 123_456_789, ..Default::default() };
    let edit = pb::RatePlan { id: last.id, prices: [("voicemail".to_owned(), risen)].into(), ..Default::default() };
    update_plan(&admin, edit, &["prices.voicemail"]).await.unwrap();
    sold.customers.push(id);
}

/// The row that a customer has with all columns, by what GetCustomer, ListActiveFeatures and ListRatePlans show.
async fn expected(client: &Client, plans: &Plans, id: &str) -> Row {
    let customer = client.get(id).await.unwrap();
    let request = pb::ListActiveFeaturesRequest { customer_id: id.to_owned() };
    let active = client.billing().list_active_features(request).await.unwrap().into_inner();
    let plan = plans.get(&customer.rate_plan_id);
    let features = active.features.into_iter().zip(&customer.active_features).map(|(details, active)| {
        assert_eq!(details.feature.as_ref(), Some(active));
        pb::BillingReportFeature {
            code: active.code.clone(),
            name: details.name,
            quantity: active.quantity,
            unit_price: details.price,
            amount: active.amount.clone(),
        }
    });
    Row {
        rate_plan_name: plan.map(|plan| plan.name.clone()).unwrap_or_default(),
        rate_plan_currency: plan.map(|plan| plan.currency.clone()).unwrap_or_default(),
        features: features.collect(),
        ..shown(customer)
    }
}

/// A row with the chosen columns alone.
fn cut(row: &Row, columns: &[Column]) -> Row {
    let mut cut = Row { customer_id: row.customer_id.clone(), ..Default::default() };
    for column in columns {
        match column {
            Column::Unspecified => {}
            Column::Account => cut.account_id.clone_from(&row.account_id),
            Column::Name => cut.name.clone_from(&row.name),
            Column::CustomIds => cut.custom_ids.clone_from(&row.custom_ids),
            Column::Status => (cut.status, cut.archived_at) = (row.status, row.archived_at),
            Column::BillingEmail => cut.billing_email.clone_from(&row.billing_email),
            Column::Currency => cut.currency.clone_from(&row.currency),
            Column::RatePlan => {
                cut.rate_plan_id.clone_from(&row.rate_plan_id);
                cut.rate_plan_name.clone_from(&row.rate_plan_name);
                cut.rate_plan_currency.clone_from(&row.rate_plan_currency);
            }
            Column::Features => cut.features.clone_from(&row.features),
            Column::Total => cut.total.clone_from(&row.total),
            Column::Credit => {
                cut.credit_limit.clone_from(&row.credit_limit);
                cut.credit_available.clone_from(&row.credit_available);
            }
        }
    }
    cut
}

fn columns() -> impl Strategy<Value = Vec<Column>> {
    let all: Vec<Column> = (1..=10).map(|number| Column::try_from(number).unwrap()).collect();
    prop::sample::subsequence(all, 1..=10)
}

#[tokio::test]
async fn every_row_says_of_plan_features_and_credit_what_get_customer_shows() {
    let world = World::start().await;
    let mut sold = sold(&world).await;
    let mut runner =
        TestRunner::new_with_rng(Config::default(), TestRng::deterministic_rng(Config::default().rng_algorithm));
    let step = (0_u8..20, 0_usize..4, any::<usize>(), any::<usize>(), 0_u16..50);
    // Customers from before the first plan, who keep the first that there is.
    for number in 0..4 {
        sold.step(2, number, number, 0, 3).await;
    }
    sold.add_plan(0, plan("Standard", &[("fax", 1), ("trunk", 10), ("voicemail", 2), ("family", 3)])).await.unwrap();
    for _ in 0..STEPS {
        let (kind, at, one, other, count) = step.new_tree(&mut runner).unwrap().current();
        sold.step(kind, at, one, other, count).await;
    }
    over_its_limit(&mut sold).await;
    let few: Vec<_> = sold.done.iter().filter(|(_, done)| **done == 0).collect();
    assert!(few.is_empty() && sold.done.len() == 12, "{:?}", sold.done);

    let mut seen = Vec::new();
    for account in &sold.accounts {
        let clerk = account.member(pb::Role::Member).await;
        for include_descendants in [false, true] {
            let request = Reporting { include_descendants, ..Default::default() };
            let found = rows(&clerk, &request).await.unwrap();
            for row in &found {
                assert_eq!(*row, expected(&clerk, &sold.plans, &row.customer_id).await);
            }
            for _ in 0..6 {
                let chosen = columns().new_tree(&mut runner).unwrap().current();
                let asked = chosen.iter().map(|column| i32::from(*column)).collect();
                let part = rows(&clerk, &Reporting { columns: asked, ..request.clone() }).await.unwrap();
                assert_eq!(part, found.iter().map(|row| cut(row, &chosen)).collect::<Vec<_>>(), "{chosen:?}");
            }
            seen.push(found);
        }
    }
    let (own, all) = (&seen[0], &seen[1]);
    assert_eq!(all.len(), sold.customers.len(), "the provider has all below");
    let some = |has: fn(&Row) -> bool| assert!(all.iter().any(has), "{:?}", sold.done);
    some(|row| row.credit_available.as_ref().is_some_and(|money| money.units < 0 || money.nanos < 0));
    some(|row| row.features.len() > 1);
    some(|row| row.features.iter().any(|feature| feature.unit_price.is_none()));
    some(|row| row.total.as_ref().is_some_and(|money| money.nanos % 10_000_000 != 0));
    let fleet: Vec<&Row> =
        own.iter().filter(|row| seen[2].iter().any(|below| below.customer_id == row.customer_id)).collect();
    assert!(fleet.is_empty(), "accounts below a FLEET owner have no row of it");
    written(&world, &sold.accounts[0], all).await;
}

/// An amount as the command writes it.
fn decimal(money: Option<&Money>) -> Value {
    let Some(Money { units, nanos, .. }) = money else { return Value::Null };
    let sign = if *units < 0 || *nanos < 0 { "-" } else { "" };
    let text = format!("{sign}{}.{:09}", units.unsigned_abs(), nanos.unsigned_abs());
    text.trim_end_matches('0').trim_end_matches('.').into()
}

/// The command writes the same as NDJSON and as CSV.
async fn written(world: &World, account: &TestAccount, rows: &[Row]) {
    let folder = temp_dir();
    let token = folder.path().join("token");
    fs::write(&token, account.admin.token.as_ref().unwrap()).unwrap();
    let address = world.server.address().to_string();
    let run = async |format: &str| {
        let asked = ["report", "billing", "--address", &address, "--token-file", path(&token), "--format", format];
        let done = output(clientele(&[&asked[..], &["--account", &account.account, "--include-descendants"]].concat()));
        let done = done.await;
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    };
    let lines = run("ndjson").await;
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), rows.len());
    let text = |text: &str| if text.is_empty() { Value::Null } else { text.into() };
    for (line, row) in lines.iter().zip(rows) {
        let features = row.features.iter().map(|feature| {
            json!({
                "code": feature.code, "name": feature.name, "quantity": feature.quantity,
                "unit_price": decimal(feature.unit_price.as_ref()), "amount": decimal(feature.amount.as_ref()),
            })
        });
        let expected = json!({
            "customer_id": row.customer_id, "account_id": row.account_id, "name": row.name, "custom_ids": row.custom_ids,
            "status": row.status().as_str_name().trim_start_matches("CUSTOMER_STATUS_"),
            "archived_at": row.archived_at.map(|at| at.to_string()), "billing_email": text(&row.billing_email),
            "currency": text(&row.currency), "rate_plan_id": text(&row.rate_plan_id),
            "rate_plan_name": text(&row.rate_plan_name), "rate_plan_currency": text(&row.rate_plan_currency),
            "features": features.collect::<Vec<_>>(), "total": decimal(row.total.as_ref()),
            "credit_limit": decimal(row.credit_limit.as_ref()), "credit_available": decimal(row.credit_available.as_ref()),
        });
        assert_eq!(*line, expected);
    }
    let table = run("csv").await;
    let mut table = csv::Reader::from_reader(table.as_bytes());
    let names: Vec<String> = table.headers().unwrap().iter().map(ToOwned::to_owned).collect();
    let mut count = 0;
    for (record, line) in table.records().zip(&lines) {
        for (name, cell) in names.iter().zip(record.unwrap().iter()) {
            let found = match name.as_str() {
                "custom_ids" | "features" => serde_json::from_str(cell).unwrap(),
                _ => text(cell),
            };
            assert_eq!(found, line[name], "{name}");
        }
        count += 1;
    }
    assert_eq!(count, rows.len());
}

#[tokio::test]
async fn rows_with_as_many_features_as_there_can_be_are_fetched_a_few_at_a_time_and_none_is_lost() {
    let world = World::start_with(crate::world::database().await, |config| {
        config.load.max_bytes_in_flight = 16 << 20;
    })
    .await;
    let acme = world.tenant("acme").await;
    let codes: Vec<String> = (0..200).map(|number| format!("feature-{number:0>55}")).collect();
    for code in &codes {
        create_feature(&acme.admin, pb::Feature { name: "ß".repeat(120), ..chargeable(code) }).await.unwrap();
    }
    let prices = codes.iter().map(|code| (code.clone(), eur(1))).collect();
    create_plan(&acme.admin, pb::RatePlan { prices, ..plan("Everything", &[]) }).await.unwrap();
    let small = acme.admin.create(customer("Small")).await.unwrap();
    let mut large = pb::Customer { credit_limit: Some(eur(1_000)), ..customer("Large") };
    large = acme.admin.create(large).await.unwrap();
    for code in &codes {
        large = activate(&acme.admin, &large.id, code, 3).await.unwrap();
    }
    // Small ones and large ones among each other, as ids are random.
    let mut ids = world.copies(&small.id, 1_200).await;
    ids.extend(world.copies(&large.id, 150).await);
    ids.extend([small.id, large.id.clone()]);
    ids.sort();
    for include_descendants in [false, true] {
        let found = rows(&acme.admin, &Reporting { include_descendants, ..Default::default() }).await.unwrap();
        assert_eq!(found.iter().map(|row| row.customer_id.clone()).collect::<Vec<_>>(), ids);
        let full = found.iter().filter(|row| row.features.len() == 200 && row.total == Some(eur(600)));
        assert_eq!(full.count(), 151);
        let empty = found.iter().filter(|row| row.features.is_empty() && row.total == Some(eur(0)));
        assert_eq!(empty.count(), 1_201);
    }
}
