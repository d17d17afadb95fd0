//! All rows of a database, to check that a call changed nothing.

use std::collections::BTreeMap;

use sqlx::AssertSqlSafe;

use crate::world::World;

/// The rows of every table as text, in an order that does not depend on their position on disk.
pub async fn rows(world: &World) -> BTreeMap<String, Vec<String>> {
    let mut sql = world.sql().await;
    let tables: Vec<String> =
        sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public' order by 1")
            .fetch_all(&mut sql)
            .await
            .unwrap();
    let mut all = BTreeMap::new();
    for table in tables {
        let rows = format!(r#"select t::text collate "C" from {table} t order by 1"#);
        all.insert(table, sqlx::query_scalar(AssertSqlSafe(rows)).fetch_all(&mut sql).await.unwrap());
    }
    assert!(all.contains_key("customers"), "{all:?}");
    all
}
