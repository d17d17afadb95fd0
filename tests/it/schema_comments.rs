//! Every table, view and column of the schema has a comment for whoever looks at the database itself.

use sqlx::ConnectOptions as _;

use crate::world::database;

#[tokio::test]
async fn every_table_and_column_has_a_comment() {
    let mut sql = database().await.connect().await.unwrap();
    let bare: Vec<String> = sqlx::query_scalar(
        "with relations as (
             select oid, relname from pg_class
             where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and relname <> '_sqlx_migrations'
         )
         select relname::text from relations where coalesce(obj_description(oid, 'pg_class'), '') = ''
         union all
         select relname || '.' || attname from relations join pg_attribute on attrelid = oid and attnum > 0
         where not attisdropped and coalesce(col_description(oid, attnum), '') = ''
         order by 1",
    )
    .fetch_all(&mut sql)
    .await
    .unwrap();
    assert!(bare.is_empty(), "without a comment (`comment on` in their migration): {bare:?}");
}
