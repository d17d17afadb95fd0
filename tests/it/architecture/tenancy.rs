//! Every statement of the stores that names a table of the tenants restricts it to one tenant: those in the source, by
//! their text in `.sqlx`, and the one that is put together, by PostgreSQL's log of many searches.

mod checker;
mod searches;

use std::{collections::BTreeSet, fs};

use self::checker::unrestricted;
use super::{
    all,
    source::{layer, root},
};

/// Statements that are not of one tenant: a part of the text by which they are known, the tables, and the reason.
const EXEMPT: [(&str, &[&str], &str); 21] = [
    ("from principals p", &["principals"], "authentication: a token names no tenant"),
    ("from tenants\n        where tenant_id > $1 order by", &["tenants"], "ListTenants is the platform operator's"),
    ("delete from requests\n        where ctid", &["requests"], "the sweeper deletes old answers of all tenants"),
    ("delete from merge_images\n        where ctid", &["merge_images"], "the sweeper, as before"),
    ("delete from invitations\n        where ctid", &["invitations"], "the sweeper, as before"),
    (
        "where m.accepted_at is null and m.role = 'ADMIN' and m.created_at = t.created_at",
        &["members", "tenants"],
        "the sweeper accepts first admins of all tenants",
    ),
    ("with due as (", &["accounts", "invitations"], "the sender takes the mails of all tenants"),
    ("with pending as not materialized", &["invitations"], "the queue of mails is measured as a whole"),
    (
        "where (c.tenant_id, c.id) > ($1, $2) and not exists",
        &["customers", "custom_ids"],
        "the migrator fills in all tenants' search texts",
    ),
    (
        "from jsonb_populate_recordset(null::customer_search, $1)",
        &["customer_search", "custom_ids", "customers"],
        "the migrator, as before",
    ),
    (
        "from customers c\n            where (c.tenant_id, c.id) > ($1, $2)\n            order by",
        &["customers"],
        "the migrator makes the keys of all tenants' customers",
    ),
    ("from branches where (tenant_id, id) >", &["branches"], SORT_KEYS),
    ("from branches u", &["accounts", "branches"], SORT_KEYS),
    ("join branches t on t.tenant_id = e.tenant_id", &["branches"], SORT_KEYS),
    ("from tags where (tenant_id, id) >", &["tags"], SORT_KEYS),
    ("from tags u", &["accounts", "tags"], SORT_KEYS),
    ("join tags t on t.tenant_id = e.tenant_id", &["tags"], SORT_KEYS),
    ("from customers where (tenant_id, id) >", &["customers"], SORT_KEYS),
    ("from customers u", &["accounts", "customers"], SORT_KEYS),
    ("join customers t on t.tenant_id = e.tenant_id", &["customers"], SORT_KEYS),
    (
        "from tenants where tenant_id > $1 order by tenant_id limit 1",
        &["tenants"],
        "the migrator goes from tenant to tenant",
    ),
];

const SORT_KEYS: &str = "the migrator computes the sort keys of all tenants' names";

/// The tables with a tenant_id, from the catalogue.
async fn tables() -> BTreeSet<String> {
    let tables = all("select array[table_name::text] from information_schema.columns
                      where table_schema = 'public' and column_name = 'tenant_id'")
    .await;
    assert!(tables.len() > 10, "{tables:?}");
    tables.concat().into_iter().collect()
}

/// The texts of all `query!` of the library.
fn statements() -> Vec<String> {
    let files = fs::read_dir(root().join(".sqlx")).unwrap().map(|entry| entry.unwrap().path());
    let text = |path| serde_json::from_slice::<serde_json::Value>(&fs::read(path).unwrap()).unwrap()["query"].clone();
    let statements: Vec<_> = files.map(|path| text(path).as_str().unwrap().to_owned()).collect();
    assert!(statements.len() > 50, "{}", statements.len());
    statements
}

#[tokio::test]
async fn every_statement_restricts_every_table_of_the_tenants_to_one_tenant() {
    let (tables, statements) = (tables().await, statements());
    let mut unused: BTreeSet<&str> = EXEMPT.iter().map(|(part, ..)| *part).collect();
    for statement in &statements {
        let exempt = EXEMPT.iter().find(|(part, ..)| statement.contains(part));
        let found = unrestricted(statement, &tables, exempt.map_or(&[], |(_, tables, _)| *tables));
        assert_eq!(found, Ok(Vec::new()), "{statement}");
        if let Some((part, ..)) = exempt {
            assert_ne!(unrestricted(statement, &tables, &[]), Ok(Vec::new()), "needs no exemption: {statement}");
            unused.remove(part);
        }
        // The same with its predicates on another column is found.
        let other = statement.replace("tenant_id = ", "id = ");
        if other != *statement {
            assert_ne!(unrestricted(&other, &tables, &[]), Ok(Vec::new()), "{other}");
        }
    }
    assert_eq!(unused, BTreeSet::new(), "no statement is like these");
}

#[test]
fn every_other_statement_is_on_the_list_of_those_that_the_compiler_does_not_check() {
    // The migrator's, which are sent before there is a schema, and the search, of which `searches` reads PostgreSQL's log.
    // And the rows of a cursor, which does not exist when the compiler asks: its declaration is checked. `sessions` asks for the
    // process that serves a client, and reads no table.
    let unchecked = [
        "store/billing/report.rs: query_as",
        "store/migrations.rs: query",
        "store/migrations.rs: query_as",
        "store/migrations.rs: query_scalar",
        "store/sessions.rs: raw_sql",
    ];
    let unchecked =
        BTreeSet::from(unchecked.map(String::from)).into_iter().chain(["store/search/mod.rs: query_with".into()]);
    let mut found = BTreeSet::new();
    for source in layer("store") {
        let functions = source.calls.iter().filter_map(|path| path.last());
        let sends = functions.filter(|name| name.starts_with("query") || *name == "raw_sql");
        found.extend(sends.map(|name| format!("{}: {name}", source.path)));
    }
    assert_eq!(found, unchecked.collect());
}

#[test]
fn the_checker_finds_what_is_not_restricted() {
    let tables = ["customers", "events", "members", "tags"].map(String::from).into();
    let found = |statement: &str| unrestricted(statement, &tables, &[]).unwrap();
    let fails = |statement: &str, aliases: &[&str]| {
        let expected: Vec<_> = aliases.iter().map(|alias| format!("{alias} is not restricted to a tenant")).collect();
        assert_eq!(found(statement), expected, "{statement}");
    };
    fails("select name from customers where id = $1", &["customers"]);
    fails("select c.name from customers c where c.tenant_id = $1 or c.id = $2", &["c"]);
    fails("select c.name from customers c where not (c.tenant_id = $1)", &["c"]);
    fails("select c.name from customers c where c.tenant_id > $1", &["c"]);
    fails("select c.name from customers c where c.tenant_id = c.account_id", &["c"]);
    fails("select 1 from customers c join tags t on t.id = $2 where c.tenant_id = $1", &["t"]);
    fails("select 1 from customers c join tags t on t.tenant_id = c.tenant_id where c.id = $1", &["c", "t"]);
    fails("select 1 from customers c left join tags t on c.tenant_id = $1 and t.tenant_id = $1", &["c"]);
    fails("select 1 from customers c full join tags t on t.tenant_id = $1 where c.tenant_id = $1", &["t"]);
    fails("select 1 from customers c, tags t where tenant_id = $1", &["c", "t"]);
    fails("select (select count(*) from tags) from customers c where c.tenant_id = $1", &["tags"]);
    fails("select 1 from customers c where c.tenant_id = $1 and exists (select from tags t where t.id = c.id)", &["t"]);
    fails("select 1 from (select id from tags) t where t.tenant_id = $1", &["tags"]);
    fails("select 1 from tags t where t.tenant_id = $1 union all select 1 from customers c", &["c"]);
    fails("update customers set name = $1 where id = $2", &["customers"]);
    fails("update customers c set name = t.name from tags t where c.tenant_id = $1 and c.id = t.id", &["t"]);
    fails("delete from tags where id = $1", &["tags"]);
    fails("delete from tags t using customers c where t.tenant_id = $1", &["c"]);
    fails("insert into tags (id, name) values ($1, $2)", &["tags"]);
    fails("insert into tags (tenant_id, id) values ($1, $2), (gen_random_uuid(), $2)", &["tags"]);
    fails(
        "insert into tags (id, tenant_id) select e.id, e.tenant_id from unnest($1, $2) as e (id, tenant_id)",
        &["tags"],
    );
    // A `with` query passes on no more than it has.
    let with = "with e as (select * from jsonb_to_recordset($1) as e (tenant_id uuid, id uuid))";
    fails(&format!("{with} update tags t set name = '' from e where t.tenant_id = e.tenant_id"), &["t"]);
    let with = "with e as (update tags t set name = '' from unnest($2) as u (tenant_id) where t.tenant_id = $1 \
                returning u.tenant_id)";
    fails(&format!("{with} select from customers c join e on c.tenant_id = e.tenant_id"), &["c"]);
    // Nor does a union, where each side needs a restriction, at the same place.
    let join = |sides: &str| format!("select from customers c join ({sides}) e on c.tenant_id = e.tenant_id");
    fails(
        &join("select t.tenant_id from tags t where t.tenant_id = $1 union all select t.tenant_id from tags t"),
        &["c", "t"],
    );
    fails(
        &join(
            "select t.tenant_id, t.id from tags t where t.tenant_id = $1
             union all select t.id, t.tenant_id from tags t where t.tenant_id = $1",
        ),
        &["c"],
    );
    fails(
        &join("(select t.tenant_id from tags t where t.id = $1 limit 1) union all select $1::uuid as tenant_id"),
        &["c", "t"],
    );
    // Nor does a lateral subquery of rows that came from outside.
    let lateral = "cross join lateral (select m.tenant_id from members m where m.tenant_id = e.tenant_id offset 0) l";
    fails(
        &format!(
            "select from customers c join (select l.tenant_id from unnest($1) as e (tenant_id) {lateral}) s on c.tenant_id = s.tenant_id"
        ),
        &["c", "m"],
    );
    let shadow = "with tags as (select 1) select from tags";
    assert_eq!(found(shadow)[0], "the `with` query tags has the name of a table");
    assert!(unrestricted("select from", &tables, &[]).is_err());
    assert!(unrestricted("table tags", &tables, &[]).is_err() || !found("table tags").is_empty());
}

#[test]
fn the_checker_accepts_what_is_restricted() {
    let tables = ["customers", "events", "members", "tags"].map(String::from).into();
    for statement in [
        "select version()",
        "select from tenants where name = $1",
        "select name from customers where tenant_id = $1 and (id = $2 or id = $3) for key share",
        "select 1 from customers c join tags t on t.tenant_id = c.tenant_id where $1::uuid = c.tenant_id",
        "select 1 from members m left join tags t on t.tenant_id = m.tenant_id where m.tenant_id = $1",
        "select (select count(*) from tags t where t.tenant_id = c.tenant_id) from customers c where c.tenant_id = $1",
        "insert into tags (id, tenant_id) values ($2, $1) on conflict (tenant_id, id) do update set name = excluded.name",
        "with c as (update customers set name = $3 where tenant_id = $1 and id = $2 returning tenant_id, id), \
              e as (select * from unnest($2::uuid[]) as e (id)) \
         insert into events (tenant_id, id) select c.tenant_id, e.id from c cross join e",
        "select from customers c join ( \
             select t.tenant_id from tags t where t.tenant_id = $1 \
             union all select m.tenant_id from members m where m.tenant_id = $1 \
         ) e on c.tenant_id = e.tenant_id",
        "select from customers c join ( \
             (select t.tenant_id from tags t where t.tenant_id = $1 order by t.id limit 1) union all select $1::uuid as tenant_id \
         ) e on c.tenant_id = e.tenant_id",
        "with e as (select t.tenant_id from tags t where t.tenant_id = $1) \
         select from customers c join ( \
             select l.tenant_id from e cross join lateral ( \
                 select m.tenant_id from members m where m.tenant_id = e.tenant_id offset 0 \
             ) l \
         ) s on c.tenant_id = s.tenant_id",
        "delete from tags t using (customers c join members m on m.tenant_id = c.tenant_id) \
         where t.tenant_id = $1 and c.tenant_id = t.tenant_id",
    ] {
        assert_eq!(unrestricted(statement, &tables, &[]), Ok(Vec::new()), "{statement}");
    }
}
