//! What a statement reads.

use std::fmt::Write as _;

use serde_json::Value;
use sqlx::{PgConnection, Row as _};

use super::{logged::Statement, run};

/// An executed plan.
pub struct Plan {
    /// Rows of tables and entries of indexes.
    pub rows: u64,
    /// Blocks of them.
    pub blocks: u64,
    /// Tables of the tenants that are read from the first to the last row.
    pub whole_tables: Vec<String>,
    json: Value,
}

/// Rows of the tables that this transaction has read: one by one from the table, or by an entry of an index. PostgreSQL counts them
/// itself; in a plan they are rounded averages.
const READ: &str = "
    select coalesce(sum(pg_stat_get_xact_tuples_returned(c.oid) + greatest(
        pg_stat_get_xact_tuples_fetched(c.oid),
        (select coalesce(sum(pg_stat_get_xact_tuples_returned(i.indexrelid)), 0) from pg_index i where i.indrelid = c.oid)
    )), 0)::bigint
    from pg_class c where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace";

/// Plans a statement and executes it, after others in the same transaction, which is rolled back.
pub async fn planned_after(sql: &mut PgConnection, first: &str, statement: &Statement) -> Plan {
    run(sql, &format!("prepare search ({}) as {}", statement.types(), statement.text)).await;
    let execute = format!(
        "explain (analyze, buffers, format json, timing off) execute search({})",
        statement.parameters.join(", ")
    );
    run(sql, &format!("begin; {first}")).await;
    let before: i64 = sqlx::query_scalar(READ).fetch_one(&mut *sql).await.unwrap();
    let explained = match sqlx::raw_sql(sqlx::AssertSqlSafe(execute.clone())).fetch_one(&mut *sql).await {
        Ok(explained) => explained,
        // It takes too long: only its plan is looked at.
        Err(_) => {
            run(sql, &format!("rollback; begin; {first}")).await;
            let plan = execute.replace("analyze, buffers, ", "").replace(", timing off", "");
            sqlx::raw_sql(sqlx::AssertSqlSafe(plan)).fetch_one(&mut *sql).await.unwrap()
        }
    };
    let after: i64 = sqlx::query_scalar(READ).fetch_one(&mut *sql).await.unwrap();
    run(sql, "rollback; deallocate search").await;
    let json = explained.get::<Value, _>(0)[0]["Plan"].take();
    let mut plan =
        Plan { rows: (after - before).try_into().unwrap_or(u64::MAX), blocks: 0, whole_tables: Vec::new(), json };
    plan.blocks = ["Shared Hit Blocks", "Shared Read Blocks"].iter().filter_map(|of| plan.json[of].as_u64()).sum();
    if plan.blocks == 0 {
        plan.rows = u64::MAX;
    }
    let mut whole = Vec::new();
    each(&plan.json, &mut |node| {
        const LARGE: [&str; 6] =
            ["duplicate_keys", "customers", "customer_search", "custom_ids", "customer_tags", "customer_links"];
        let table = node["Relation Name"].as_str().unwrap_or_default();
        if node["Node Type"] == "Seq Scan" && LARGE.contains(&table) {
            whole.push(table.to_owned());
        }
    });
    plan.whole_tables = whole;
    plan
}

/// Plans a statement and executes it.
pub async fn planned(sql: &mut PgConnection, statement: &Statement) -> Plan {
    planned_after(sql, "", statement).await
}

fn each(node: &Value, see: &mut impl FnMut(&Value)) {
    see(node);
    for child in node["Plans"].as_array().into_iter().flatten() {
        each(child, see);
    }
}

impl Plan {
    /// The scans of the tables, with their rows.
    pub fn summary(&self) -> String {
        let mut text = String::new();
        each(&self.json, &mut |node| {
            let number = |of: &str| node[of].as_f64().unwrap_or_default();
            let loops = node["Actual Loops"].as_f64().unwrap_or(f64::NAN);
            let is_index = node["Node Type"] == "Bitmap Index Scan";
            if loops == 0.0 || (node["Relation Name"].is_null() && !is_index) {
                return;
            }
            let removed = number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
            _ = writeln!(
                text,
                "  {} {} {} {}: {} rows, {} removed, {} times; {} {}",
                node["Node Type"].as_str().unwrap_or_default(),
                node["Relation Name"].as_str().unwrap_or_default(),
                node["Alias"].as_str().unwrap_or_default(),
                node["Index Name"].as_str().unwrap_or_default(),
                number("Actual Rows"),
                removed,
                loops,
                node["Index Cond"].as_str().unwrap_or_default(),
                node["Filter"].as_str().unwrap_or_default().chars().take(200).collect::<String>(),
            );
        });
        text
    }
}
