//! FindDuplicateCustomers: how many rows a look-up reads of values that thousands of customers have.

use clientele::grpc::pb;
use sqlx::PgConnection;

use super::{
    fill::{Filled, template},
    logged::{Log, Statement},
    plan::{Plan, planned, planned_after},
    run,
};
use crate::{find_duplicate_customers::of, world::Client};

/// Rows that a look-up may read: of each value the first customers and their keys, then the candidates, and those that it returns.
const ROWS: u64 = 2_000;
/// Blocks that it may read.
const BLOCKS: u64 = 6_000;

/// Look-ups with everything that is compared, and with one value.
pub async fn ask(log: &Log, filled: &Filled) -> Vec<(&'static str, Statement)> {
    let common = template("Brown Bakery", 3);
    let only = pb::Customer { email: common.email.clone(), ..Default::default() };
    let rare = pb::Customer { email: "nobody@nowhere.example".to_owned(), ..Default::default() };
    let mut asked = Vec::new();
    for (name, client, customer, finds) in [
        ("common, in the large account", &filled.large.admin, &common, true),
        ("common, at the provider", &filled.provider.admin, &common, true),
        ("common, below", &filled.below.admin, &common, true),
        ("one common value", &filled.large.admin, &only, true),
        ("a value that nobody has", &filled.large.admin, &rare, false),
    ] {
        let client: &Client = client;
        let statement = log.of_call(async || of(client, customer.clone()).await.unwrap().len()).await;
        assert_eq!(statement.found > 0, finds, "{name}: {} found", statement.found);
        asked.push((name, statement));
    }
    asked
}

/// Copies the keys of the templates, as `copies` says.
pub async fn copy_keys(sql: &mut PgConnection) {
    run(
        sql,
        "alter table duplicate_keys set (autovacuum_enabled = false);
         insert into duplicate_keys (tenant_id, account_id, key, customer_id)
         select t.tenant_id, a, t.key, m.id
         from copies m
         join (select distinct tenant_id, customer_id, key from duplicate_keys) t on t.customer_id = m.template
         cross join unnest(m.ancestors) a
         where t.key & 8 = 0 or a = m.account_id",
    )
    .await;
}

/// What reads more than it may, planned for any values and for these.
pub async fn exceeding(sql: &mut PgConnection, known: &str, asked: &[(&str, Statement)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        run(sql, &format!("set plan_cache_mode = {mode}")).await;
        for (name, statement) in asked {
            let plan = planned(sql, statement).await;
            if exceeds(&plan) {
                wrong.push(format!(
                    "{known}: {mode}: duplicates: {name}: {} rows, {} blocks\n{}",
                    plan.rows,
                    plan.blocks,
                    plan.summary()
                ));
            }
        }
    }
    wrong
}

/// That they exceed their limit without the index of keys.
pub async fn need_their_index(sql: &mut PgConnection, asked: &[(&str, Statement)]) {
    for (name, statement) in asked {
        let dropped = "alter table duplicate_keys drop constraint duplicate_keys_pkey";
        let plan = planned_after(sql, dropped, statement).await;
        assert!(exceeds(&plan), "{name} does not need the index");
    }
}

fn exceeds(plan: &Plan) -> bool {
    plan.rows > ROWS || plan.blocks > BLOCKS || !plan.whole_tables.is_empty()
}
