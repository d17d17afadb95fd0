//! What holds for the whole: the rooms of the source and their imports, DESIGN 5's rule on keys, the tenant in every statement, and what every
//! table with a `customer_id` says of the commands that move or end a customer.

mod imports;
mod rooms;
mod source;
mod statements;
mod tenancy;

use std::collections::BTreeMap;

use sqlx::{ConnectOptions as _, PgConnection};

use crate::world::database;

/// All keys and indexes that do not begin with the tenant, each with its reason.
const NOT_BY_TENANT: [&str; 13] = [
    // The migrator's.
    "_sqlx_migrations_pkey",
    "computed_keys_pkey",
    // One row for each rule by which the program derives texts.
    "derived_texts_pkey",
    // The feed's reader reads the events of all tenants.
    "events_feed_idx",
    // One row: which database this is.
    "feed_epoch_one_row_idx",
    "feed_epoch_pkey",
    // The sweeper's.
    "invitations_ended_idx",
    // The sender's, which takes the mails of all tenants in the order in which they are due.
    "invitations_queue_idx",
    // The measure of the queue: the mails of all tenants, the oldest first.
    "invitations_unsent_idx",
    // The sweeper's.
    "merge_images_merged_at_idx",
    // A token names no tenant: those in which its principal has agreed to be a member, and all that named it.
    "principals_accepted_idx",
    "principals_pkey",
    // The sweeper's.
    "requests_created_at_idx",
];

async fn sql() -> PgConnection {
    database().await.connect().await.unwrap()
}

/// Rows of texts.
async fn all(query: &'static str) -> Vec<Vec<String>> {
    let found: Vec<(Vec<String>,)> = sqlx::query_as(query).fetch_all(&mut sql().await).await.unwrap();
    found.into_iter().map(|(row,)| row).collect()
}

#[tokio::test]
async fn the_tenant_comes_first_in_every_key_and_index() {
    let indexes = all("select array[i.relname::text, m.amname::text, coalesce(a.attname::text, '')]
         from pg_index x
         join pg_class i on i.oid = x.indexrelid
         join pg_am m on m.oid = i.relam
         join pg_namespace n on n.oid = i.relnamespace and n.nspname = 'public'
         left join pg_attribute a on a.attrelid = x.indrelid and a.attnum = x.indkey[0]
         order by 1")
    .await;
    assert!(indexes.len() > 20, "{indexes:?}");
    let others: Vec<_> = indexes
        .iter()
        .filter(|index| index[1] != "gin" && index[2] != "tenant_id")
        .map(|index| index[0].as_str())
        .collect();
    assert_eq!(others, NOT_BY_TENANT, "a new exemption needs its reason in DESIGN 5; one that is gone leaves the list");

    let foreign = all("select array[c.conname::text, a.attname::text, b.attname::text]
         from pg_constraint c
         join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
         join pg_attribute b on b.attrelid = c.confrelid and b.attnum = c.confkey[1]
         where c.contype = 'f'
         order by 1")
    .await;
    assert!(foreign.len() > 8, "{foreign:?}");
    for key in foreign {
        assert_eq!(key[1..], ["tenant_id", "tenant_id"], "{key:?}");
    }
}

#[tokio::test]
async fn every_constraint_and_index_is_named_after_its_table_and_its_kind() {
    let named = all("select array[t.relname::text, c.conname::text,
                      case c.contype when 'p' then '_pkey' when 'u' then '_key' when 'c' then '_check' else '_fkey' end]
         from pg_constraint c join pg_class t on t.oid = c.conrelid
         where c.connamespace = 'public'::regnamespace and c.contype in ('p', 'u', 'c', 'f', 'x')
         union all
         select array[t.relname::text, i.relname::text, case when x.indisunique then '_key' else '_idx' end]
         from pg_index x
         join pg_class i on i.oid = x.indexrelid
         join pg_class t on t.oid = x.indrelid
         where i.relnamespace = 'public'::regnamespace
           and not exists (select from pg_constraint c where c.conindid = x.indexrelid and c.contype in ('p', 'u'))")
    .await;
    assert!(named.len() > 40, "{named:?}");
    for name in named {
        let [table, name, kind] = <[String; 3]>::try_from(name).unwrap();
        let fits = name.strip_prefix(&format!("{table}_")).is_some_and(|rest| format!("_{rest}").ends_with(&kind));
        // The index that allows only one row is a unique index on an expression: no write can violate it by a value.
        assert!(fits || name == "feed_epoch_one_row_idx", "{table}: {name} is no {kind}");
    }
}

#[tokio::test]
async fn text_that_is_a_key_is_compared_by_its_bytes() {
    let columns = all("select distinct array[i.relname::text, a.attname::text, o.collname::text]
         from pg_index x
         join pg_class i on i.oid = x.indexrelid
         cross join lateral generate_series(0, x.indnkeyatts - 1) as k (at)
         join pg_attribute a on a.attrelid = x.indrelid and a.attnum = x.indkey[k.at]
         join pg_collation o on o.oid = x.indcollation[k.at]
         where i.relnamespace = 'public'::regnamespace
         order by 1")
    .await;
    assert!(columns.len() > 10, "{columns:?}");
    for column in columns {
        assert_eq!(column[2], "C", "{column:?}");
    }
}

#[tokio::test]
async fn nothing_runs_in_the_database_by_itself() {
    let triggers = all("select array[tgname::text] from pg_trigger where not tgisinternal").await;
    let rules = all("select array[rulename::text] from pg_rules where schemaname = 'public'").await;
    let functions = all("select array[proname::text] from pg_proc where pronamespace = 'public'::regnamespace
                         and not exists (
                             select from pg_depend d
                             where d.classid = 'pg_proc'::regclass and d.objid = pg_proc.oid and d.deptype = 'e'
                         )
                         order by prorettype <> 'tsvector'::regtype, proname")
    .await;
    assert_eq!((triggers, rules), Default::default());
    let expected = [
        // The keys of the indexes of searches, made of the columns of one row: expressions that are too long for an index.
        "custom_id_lexemes",
        "customer_lexemes",
        // What statements that read one customer ask for beside its row (`store/sql_one.rs`).
        "account_policies",
        "asked_terms",
        "customer_link",
        "customer_terms",
        "foreign_references",
        "is_member_gone",
        "tags_by_name",
    ];
    assert_eq!(functions, expected.map(|name| [name]));
    let migrations = std::fs::read_dir(source::root().join("migrations")).unwrap();
    for path in migrations.map(|entry| entry.unwrap().path()).filter(|path| path.extension().unwrap() == "sql") {
        let text = std::fs::read_to_string(&path).unwrap().to_lowercase();
        assert!(!text.contains("create type") && !text.contains("advisory"), "{}", path.display());
    }
}

/// The table in migrations/README.md: what becomes of a table's rows, by the column's heading.
pub fn classified() -> BTreeMap<String, BTreeMap<String, String>> {
    let text = std::fs::read_to_string(source::root().join("migrations/README.md")).unwrap();
    let (_, text) = text.split_once("## Tables with a customer_id").expect("the section");
    let mut lines = text.lines().filter(|line| line.starts_with('|')).map(|line| {
        line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect::<Vec<_>>()
    });
    let headings = lines.next().expect("the table's headings");
    lines
        .skip(1)
        .map(|cells| {
            assert_eq!(cells.len(), headings.len(), "{cells:?}");
            (cells[0].clone(), headings.iter().cloned().zip(cells).skip(1).collect())
        })
        .collect()
}

#[tokio::test]
async fn every_table_with_a_customer_says_what_becomes_of_its_rows() {
    let tables: Vec<String> = all("select array[table_name::text] from information_schema.columns
         where table_schema = 'public' and column_name = 'customer_id' order by 1")
    .await
    .concat();
    assert!(tables.len() >= 4, "{tables:?}");
    let classified = classified();
    let named: Vec<String> = classified.keys().cloned().collect();
    assert_eq!(named, tables, "migrations/README.md, \"Tables with a customer_id\"");
    for (table, treated) in classified {
        let commands: Vec<&str> = treated.keys().map(String::as_str).collect();
        assert_eq!(commands, ["erase", "export", "merge", "migrate, transfer"], "{table}");
        for (command, what) in treated {
            assert!(what.len() > 10, "{table}: {command} says nothing");
        }
    }
}

/// The folders of the store in which a command on a customer names the tables, and the words by which a cell of the README says that
/// it does nothing there.
const COMMANDS: [(&str, &[&str], &[&str]); 4] = [
    ("erase", &["store/customers/erase.rs"], &[]),
    ("merge", &["store/customers/merge/"], &["stay"]),
    ("migrate, transfer", &["store/customers/ownership/"], &["stay", "move with the customer"]),
    ("export", &["store/exchange.rs"], &["not exported"]),
];

#[test]
fn the_statements_of_every_command_name_every_table_of_a_customer() {
    let sources = source::layer("store");
    for (table, treated) in classified() {
        for (command, files, untouched) in COMMANDS {
            let cell = &treated[command];
            let read = |path: &str| std::fs::read_to_string(source::root().join("src").join(path)).unwrap();
            let texts = sources.iter().filter(|source| files.iter().any(|file| source.path.starts_with(file)));
            let text: String = texts.map(|source| read(&source.path)).collect();
            let names = text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == table);
            assert!(
                names || untouched.iter().any(|words| cell.starts_with(words)),
                "{command}: no statement in {files:?} names {table}, and migrations/README.md says: {cell}"
            );
        }
    }
}

#[tokio::test]
async fn tables_of_a_customer_have_no_owner_column() {
    // A column with the owner's id would have to be changed by every move. These columns name an account for another reason:
    // the account of the link, and the account in which something was done.
    let accounts = all("select array[c.table_name::text, c.column_name::text]
         from information_schema.columns c
         join information_schema.columns i using (table_schema, table_name)
         where c.table_schema = 'public' and i.column_name = 'customer_id' and c.data_type = 'uuid'
           and c.column_name ~ '(account|owner|ancestor)'
         order by 1")
    .await;
    assert_eq!(
        accounts,
        [
            ["custom_ids", "account_id"],
            ["customer_links", "account_id"],
            // The owner after all: the keys of the index are made with it. A move rewrites it (store/customers/ownership).
            ["customer_search", "account_id"],
            ["customer_tags", "account_id"],
            // An account that finds the customer by the key. A move rewrites it (store/customers/ownership).
            ["duplicate_keys", "account_id"],
            // Only of events without a customer.
            ["events", "account_id"],
            ["events", "acting_account_id"]
        ]
    );
    let foreign = all("select array[conname::text] from pg_constraint
                       where contype = 'f' and conrelid in ('events'::regclass, 'requests'::regclass)")
    .await;
    assert!(foreign.is_empty(), "history must outlive its customers: {foreign:?}");
}
