//! A tenant with many customers: copies, made in SQL, of a few that the service created.

use clientele::grpc::pb;
use sqlx::{AssertSqlSafe, PgConnection};
use uuid::Uuid;

use super::{duplicates::copy_keys, run};
use crate::world::{Client, TestAccount, World, customer};

/// The accounts and what is in them.
pub struct Filled {
    pub provider: TestAccount,
    /// The account with three quarters of the customers.
    pub large: TestAccount,
    /// An account below the large one.
    pub below: TestAccount,
    /// A small account, with a smaller one below it.
    pub middle: TestAccount,
    /// The number of customers in the large account.
    pub count: u64,
    pub branch: String,
    pub empty_branch: String,
    pub sales_person: String,
    /// One of the customers.
    pub one: String,
}

/// Names of templates with many copies: of every other letter, and of other scripts.
const NAMES: [&str; 37] = [
    "Aalto Holding",
    "Abbey Bakery",
    "Bright Holding",
    "Brown Bakery",
    "Castle Holding",
    "Corner Bakery",
    "de Vries Holding",
    "Dorset Bakery",
    "Easton Holding",
    "Falcon Bakery",
    "Gable Holding",
    "Harbour Bakery",
    "Iris Holding Bakery",
    "Jasper Holding",
    "Kestrel Bakery",
    "Lantern Holding",
    "Maple Bakery",
    "Nordic Holding",
    "Oak Bakery",
    "Pebble Holding",
    "Queen Bakery",
    "Raven Holding",
    "Stone Bakery",
    "Timber Holding",
    "Umber Bakery",
    "Violet Holding",
    "Willow Bakery",
    "Xenon Holding",
    "Yarrow Bakery",
    "Zephyr Holding",
    "7 Seas Bakery",
    "H.L.F. Holding",
    "Öresund Bakery",
    "Йод Holding",
    "株式会社田中",
    "Smit BV",
    "Route 66",
];
/// The numbers of copies in the large account of each of two rare templates, and how many hundredths are copies of one that is neither
/// rare nor common.
const RARE: i64 = 15;
const MIDDLE: i64 = 2;

/// Makes so many customers, three quarters of them in one account.
pub async fn fill(world: &World, customers: i64) -> Filled {
    // What statistics there are, are those of another tenant.
    let other = world.tenant("other").await;
    for (number, name) in ["Ada", "Bob", "Cid"].into_iter().enumerate() {
        let made = other.admin.create(template(name, number)).await.unwrap();
        other.admin.tag(&[&made.id], &["common"], &[]).await.unwrap();
    }
    let mut sql = world.sql().await;
    run(&mut sql, "analyze").await;

    let provider = world.tenant("provider").await;
    let large = provider.child("large").await;
    let below = large.child("below").await;
    let mut small = vec![provider.clone(), below.clone()];
    for number in 0..7 {
        small.push(provider.child(&format!("small {number}")).await);
    }
    let middle = provider.child("middle").await;
    small.push(middle.child("leaf").await);
    let (common, rare, between) = templates(&large.admin).await;
    for tag in ["common", "middle", "rare"] {
        large.admin.tag(&[&between], &[tag], &[]).await.unwrap();
    }
    let branch = large.branch("North").await;
    let empty_branch = large.branch("Empty").await;
    let sales_person = large.add("sales", pb::Role::Member).await.member_id;

    let count = customers * 3 / 4;
    let each = (customers - count) / i64::try_from(small.len()).unwrap();
    run(
        &mut sql,
        "create temp table copies (n int, number int, template uuid, id uuid, account_id uuid, ancestors uuid[], large bool);
         set session_replication_role = replica;
         set maintenance_work_mem = '1GB';
         drop index customer_search_customer_lexemes_idx",
    )
    .await;
    for (number, (account, count)) in small.iter().map(|small| (small, each)).chain([(&large, count)]).enumerate() {
        let copies = "
            insert into copies
            select n, $1, case when $4 and n <= 2 * $5 then $6[1 + n % 2]
                      when n <= 2 * $5 + $3 * $7 / 100 then $8
                      else $9[1 + n % cardinality($9)] end,
                   (lpad(to_hex($1 * 1000000 + n), 8, '0') || substr(md5(n::text), 9))::uuid, a.id, a.ancestors, $4
            from accounts a, generate_series(1, $3::int) n
            where a.id = $2";
        sqlx::query(copies)
            .bind(i32::try_from(number).unwrap())
            .bind(account.account.parse::<Uuid>().unwrap())
            .bind(i32::try_from(count).unwrap())
            .bind(account.account == large.account)
            .bind(i32::try_from(RARE).unwrap())
            .bind(uuids(&rare))
            .bind(i32::try_from(MIDDLE).unwrap())
            .bind(between.parse::<Uuid>().unwrap())
            .bind(uuids(&common))
            .execute(&mut sql)
            .await
            .unwrap();
    }
    run(&mut sql, "analyze copies").await;
    copy_all(&mut sql, &branch, &sales_person, &large.account).await;
    run(
        &mut sql,
        "create index customer_search_customer_lexemes_idx on customer_search
             using gin (customer_lexemes(tenant_id, account_id, ancestors, bucket, lexemes, id_lexemes)) with (fastupdate = off);
         alter index customer_search_customer_lexemes_idx alter column 1 set statistics 0",
    )
    .await;
    let one = sqlx::query_scalar::<_, Uuid>("select id from copies where large and n = 77");
    let one = one.fetch_one(&mut sql).await.unwrap().to_string();
    Filled { provider, large, below, middle, count: count.try_into().unwrap(), branch, empty_branch, sales_person, one }
}

fn uuids(ids: &[String]) -> Vec<Uuid> {
    ids.iter().map(|id| id.parse().unwrap()).collect()
}

/// A customer whose city, phone and number are like those of others.
pub fn template(name: &str, number: usize) -> pb::Customer {
    let cities = ["Eindhoven", "La Paz", "München", "Texel"];
    pb::Customer {
        custom_ids: [("erp".to_owned(), format!("KL-{number:05}"))].into(),
        primary_address: Some(pb::Address {
            city: cities[number % cities.len()].to_owned(),
            state: "Noord Brabant".to_owned(),
            country: "Netherlands".to_owned(),
            ..Default::default()
        }),
        email: format!("info{number}@company.example"),
        phone: Some(pb::Phone { number: format!("+31 40 250 {number:04}"), ..Default::default() }),
        r#type: pb::CustomerType::Business.into(),
        service_class: pb::ServiceClass::Normal.into(),
        origin: pb::Origin::ControlPanel.into(),
        labels: [("segment".to_owned(), if number.is_multiple_of(2) { "smb" } else { "large" }.to_owned())].into(),
        ..customer(name)
    }
}

/// The ids of the templates: the common ones, the rare ones, and the one between.
async fn templates(client: &Client) -> (Vec<String>, Vec<String>, String) {
    let mut common = Vec::new();
    for (number, name) in NAMES.into_iter().enumerate() {
        common.push(client.create(template(name, number)).await.unwrap().id);
    }
    let mut rare = Vec::new();
    for (number, name) in [(900, "Quixotic Timber"), (901, "Wombat Quixotic")] {
        let only = pb::Customer {
            custom_ids: [("erp".to_owned(), format!("ZX-{number}"))].into(),
            primary_address: Some(pb::Address {
                city: "Timbuktu".to_owned(),
                country: "Mali".to_owned(),
                ..Default::default()
            }),
            r#type: pb::CustomerType::Personal.into(),
            service_class: pb::ServiceClass::Residential.into(),
            origin: pb::Origin::Marketplace.into(),
            labels: [("tier".to_owned(), "platinum".to_owned())].into(),
            phone: Some(pb::Phone { number: "+31 20 555 0124".to_owned(), ..Default::default() }),
            ..template(name, number)
        };
        rare.push(client.create(only).await.unwrap().id);
    }
    let between = pb::Customer {
        reach: pb::Reach::Fleet.into(),
        origin: pb::Origin::Api.into(),
        labels: [("tier".to_owned(), "silver".to_owned())].into(),
        ..template("Middleton Fleet", 77)
    };
    (common, rare, client.create(between).await.unwrap().id)
}

/// Copies the rows of the templates, each with the columns that are its own.
async fn copy_all(sql: &mut PgConnection, branch: &str, sales_person: &str, large: &str) {
    let tags = |name: &str, condition: &str| {
        format!(
            "case when m.large and {condition} then array(select id from tags t2
            where t2.account_id = '{large}' and t2.name = '{name}') else '{{}}' end"
        )
    };
    let tags = format!(
        "{} || {} || {}",
        tags("common", "m.n % 2 = 0"),
        tags("middle", "m.n % 40 = 3"),
        tags("rare", "m.n % 3000 = 1")
    );
    // Times have nothing to do with names.
    let at = |seed: &str| format!("now() - (abs(hashint8(m.n + {seed}) % 200000) + 60) * interval '1 minute'");
    copy(
        sql,
        "customers",
        "t.id",
        &[
            ("id", "m.id"),
            ("account_id", "m.account_id"),
            ("ancestors", "m.ancestors"),
            ("name_sort", "t.name_sort || int4send(m.n)"),
            ("order_reference", "null"),
            ("status", "case when m.n % 1000 = 11 then 'PENDING' else t.status end"),
            ("archived_at", "case when m.n % 1000 = 7 then now() end"),
            ("branch_id", &format!("case when m.large and m.n % 97 = 5 then '{branch}'::uuid end")),
            ("sales_person_id", &format!("case when m.large and m.n % 89 = 3 then '{sales_person}'::uuid end")),
            ("created_at", &at("1")),
            ("updated_at", &at("1000000007")),
            ("owner_tags", &tags),
        ],
    )
    .await;
    copy(
        sql,
        "customer_search",
        "t.customer_id",
        &[("customer_id", "m.id"), ("account_id", "m.account_id"), ("ancestors", "m.ancestors")],
    )
    .await;
    let number = "t.value_key || '-' || m.n";
    copy(
        sql,
        "custom_ids",
        "t.customer_id",
        &[("customer_id", "m.id"), ("account_id", "m.account_id"), ("value_key", number), ("value", number)],
    )
    .await;
    copy_keys(sql).await;
    copy(sql, "customer_links", "t.customer_id", &[("customer_id", "m.id"), ("account_id", "m.account_id")]).await;
    run(
        sql,
        "insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
         select tenant_id, id, account_id, unnest(owner_tags) from customers where owner_tags <> '{}'
         on conflict do nothing",
    )
    .await;
}

/// Copies the rows `t` of a table, as `copies m` says. `own` has the columns that are not those of the template.
async fn copy(sql: &mut PgConnection, table: &str, key: &str, own: &[(&str, &str)]) {
    run(sql, &format!("alter table {table} set (autovacuum_enabled = false)")).await;
    let columns: Vec<String> = sqlx::query_scalar(
        "select attname::text from pg_attribute
         where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''",
    )
    .bind(table)
    .fetch_all(&mut *sql)
    .await
    .unwrap();
    let value = |column: &String| match own.iter().find(|(name, _)| name == column) {
        Some((_, value)) => (*value).to_owned(),
        None => format!("t.{column}"),
    };
    let values: Vec<String> = columns.iter().map(value).collect();
    let insert = format!(
        "insert into {table} ({}) select {} from copies m join {table} t on {key} = m.template",
        columns.join(", "),
        values.join(", ")
    );
    sqlx::query(AssertSqlSafe(insert)).execute(sql).await.unwrap();
}
