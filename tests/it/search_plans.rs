//! SearchCustomers: how many rows each kind of search reads. The statements are those that a server sends, read from the log of
//! PostgreSQL, and planned as the sessions of its search pool plan.
//!
//! A page of 50 reads at most [`PAGE_ROWS`] and [`ARM_ROWS`] rows, whatever the size of the account and whatever the planner
//! knows of it. Shapes that cannot keep to that are in `shapes`, each with its own limit and the reason.

mod duplicates;
mod fill;
mod logged;
mod plan;
mod shapes;

use clientele::{embedded::Durability, service::pool::Pool};
use sqlx::{ConnectOptions as _, PgConnection};

use self::{
    fill::Filled,
    plan::{Plan, planned, planned_after},
    shapes::{Limit, Shape, shapes},
};
use crate::world::{World, cluster, database_in};

/// Rows that a search may read for a page of 50: of each customer on it and of the next one its size, itself, its text, custom
/// IDs, tags and link.
const PAGE_ROWS: u64 = 10 * 51;
/// And those among which it finds them, in each arm of its statement: twenty times the page.
const ARM_ROWS: u64 = 1_000;
/// Blocks that it may read for each of these rows.
const BLOCKS_A_ROW: u64 = 6;
/// Blocks that it may read beside: of the index of keys a few for each bucket.
const BLOCKS: u64 = 2_500;

/// Seconds after which a search is stopped, in the server and here.
const STOPPED_AFTER: u64 = 1;

/// The number of customers: `CLIENTELE_PLAN_CUSTOMERS`, or 20,000.
fn customers() -> i64 {
    std::env::var("CLIENTELE_PLAN_CUSTOMERS").map_or(20_000, |count| count.parse().expect("a number of customers"))
}

/// What PostgreSQL knows of the tables.
const STATISTICS: [(&str, &str); 3] = [
    ("analysed before the tenant was filled", ""),
    (
        "never analysed",
        "delete from pg_statistic s using pg_class c where c.oid = s.starelid and c.relnamespace = 'public'::regnamespace;
         update pg_class set reltuples = -1, relpages = 0, relallvisible = 0
         where relkind = 'r' and relnamespace = 'public'::regnamespace",
    ),
    ("analysed", "analyze"),
];

/// Indexes, and shapes that exceed their limit without them.
const INDEXES: [(&str, &str); 7] = [
    ("customer_search_customer_lexemes_idx", "rare word"),
    ("customers_account_id_created_at_idx", "list by create_time desc"),
    ("customers_account_id_updated_at_idx", "list by update_time"),
    ("customers_pending_idx", "PENDING by name"),
    ("customers_archived_idx", "archived by name"),
    ("customers_branch_id_idx", "empty branch by name"),
    ("customers_sales_person_id_idx", "sales person by name"),
];

#[tokio::test]
async fn a_page_reads_few_rows_whatever_the_planner_knows() {
    let cluster = cluster(Durability::Fast).await;
    let database = database_in(&cluster, "file_copy").await;
    // A private PostgreSQL keeps values out of its log.
    let log_all = database.clone().options([
        ("log_statement", "all"),
        ("log_parameter_max_length", "-1"),
        ("log_error_verbosity", "default"),
    ]);
    let world = World::start_with(database, |config| {
        config.database.options = log_all.into();
        config.database.statement_timeout = std::time::Duration::from_secs(STOPPED_AFTER);
    })
    .await;
    let filled = fill::fill(&world, customers()).await;
    let log = logged::Log::of(&cluster);
    let mut asked = Vec::new();
    for shape in shapes(&filled) {
        asked.push((logged::ask(&log, &shape).await, shape));
    }

    let duplicates = Box::pin(duplicates::ask(&log, &filled)).await;

    let mut sql = session(&world).await;
    let mut wrong = Vec::new();
    for (known, make) in STATISTICS {
        run(&mut sql, "set statement_timeout = 0").await;
        run(&mut sql, make).await;
        run(&mut sql, &format!("set statement_timeout = '{STOPPED_AFTER}s'")).await;
        wrong.extend(duplicates::exceeding(&mut sql, known, &duplicates).await);
        for (statement, shape) in &asked {
            let plan = planned(&mut sql, statement).await;
            let line = format!(
                "{known}: {}: {} rows of {}, {} blocks, {} found",
                shape.name,
                plan.rows,
                limit(shape, &filled),
                plan.blocks,
                statement.found
            );
            if exceeds(&plan, shape, &filled) {
                wrong.push(format!("{line}\n{}", plan.summary()));
            }
        }
    }
    for (index, name) in INDEXES {
        let (statement, shape) = asked.iter().find(|(_, shape)| shape.name == name).unwrap();
        let plan = planned_after(&mut sql, &format!("drop index {index}"), statement).await;
        assert!(exceeds(&plan, shape, &filled), "{name} does not need {index}");
    }
    duplicates::need_their_index(&mut sql, &duplicates).await;
    sqlx::Connection::close(sql).await.unwrap();
    cluster.stop().await.unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// The most rows of a shape.
fn limit(shape: &Shape, filled: &Filled) -> u64 {
    let page = PAGE_ROWS + ARM_ROWS * shape.arms;
    match shape.limit {
        Limit::Page => page,
        Limit::Own { rows, .. } => page + rows(filled),
    }
}

fn exceeds(plan: &Plan, shape: &Shape, filled: &Filled) -> bool {
    let rows = limit(shape, filled);
    plan.rows > rows || plan.blocks > BLOCKS + BLOCKS_A_ROW * rows || !plan.whole_tables.is_empty()
}

/// A session with the settings of the server's search pool.
async fn session(world: &World) -> PgConnection {
    let pool = Pool::new("search", &world.keys.config(world.database.clone()).database, 1);
    let mut lease = pool.lease().await.unwrap();
    let settings: Vec<(String, String)> = lease
        .run(async |conn| {
            let set = "select name, current_setting(name) from pg_settings
                       where source in ('client', 'session') and context = 'user' and name not like '%timeout%'
                         and name <> 'application_name'";
            Ok(sqlx::query_as(set).fetch_all(conn).await?)
        })
        .await
        .unwrap();
    assert!(settings.iter().any(|(name, _)| name == "random_page_cost"), "{settings:?}");
    let mut sql = world.database.connect().await.unwrap();
    for (name, value) in settings {
        sqlx::query("select set_config($1, $2, false)").bind(name).bind(value).execute(&mut sql).await.unwrap();
    }
    sql
}

async fn run(sql: &mut PgConnection, statements: &str) {
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements.to_owned())).execute(sql).await.unwrap();
}
