//! Many customers of many accounts, to be searched: in a database and behind a service of their own, so that what is
//! written elsewhere is not in their indexes, nor they in the way of what is measured there.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, types::Json};
use tonic::transport::Channel;

use super::{
    Path, Result,
    calls::GetMember,
    child::{Scratch, Server},
    crew::{Crew, Measured, connect},
    customers::{self, HERD},
    dice::Dice,
    issuer::{ADMIN, Bearer, Issuer, by, done},
    model,
    names::{Named, Names},
    searches::{Ask, Search, Subjects},
    stage::{PATIENT, serve},
};
use clientele::{
    domain::{
        fields::profile::Profile,
        search::Searchable,
        values::{
            address::AddressPart,
            custom_id::CustomId,
            email::Email,
            name::Name,
            phone::Phone,
            tax_id::{TaxId, TaxIds},
            text::Text,
        },
    },
    embedded::Cluster,
    grpc::pb::{self, tag_service_client::TagServiceClient},
    store::migrations,
};

const DATABASE: &str = "herd";
/// How many customers there are.
const CUSTOMERS: u64 = 200_000;
/// How many accounts have them: the second has half as many as the first, the third a third, and so on.
const ACCOUNTS: usize = 100;
/// The account that searches, from 0.
const MIDDLE: usize = 9;
/// The tags of every account, and on how many of a thousand customers each is.
const TAGS: [(&str, u64); 8] = [
    ("newsletter", 400),
    ("webshop", 200),
    ("trade fair 2026", 100),
    ("service contract", 50),
    ("vip", 30),
    ("partner", 20),
    ("school", 10),
    ("at risk", 5),
];
/// Customers that one statement takes from here.
const AT_ONCE: usize = 2_000;
/// Reads a second beside a flood: a tenth of what a machine of two cores reads.
const STEADY: f64 = 500.0;
/// Of two cores one may search.
const FLOOD_CONNECTIONS: usize = 1;
/// Other seeds than that of the name, which is the number: no account and no tag has names of its own.
const OWNER_SEED: u64 = 1 << 62;
const TAG_SEED: u64 = 1 << 63;

pub struct Herd {
    service: Server,
    /// With few connections for searches.
    flooded: Server,
    token: Bearer,
    names: Arc<Names>,
    accounts: Vec<Account>,
}

/// An account, the ids of its tags, and the numbers of its customers.
struct Account {
    id: String,
    tags: Vec<String>,
    members: Arc<[u64]>,
}

impl Herd {
    pub async fn make(cluster: &Cluster, scratch: &Scratch, issuer: &Issuer, connections: usize) -> Result<Self> {
        eprintln!("making {CUSTOMERS} customers to be searched");
        migrations::create_database(&cluster.options("postgres"), DATABASE).await?;
        migrations::migrate(&cluster.options(DATABASE), || ()).await?;
        let url = cluster.url(DATABASE);
        // However many search at once, all are measured.
        let searches = format!("--search-pool-size={connections}");
        let all = [&PATIENT[..], &[&searches]].concat();
        let service = serve(scratch, &url, connections, &all)?;
        let flooded = serve(scratch, &url, connections, &[&format!("--search-pool-size={FLOOD_CONNECTIONS}")])?;
        let (channel, token) = (connect(&service).await?, issuer.bearer(ADMIN)?);
        let tenant = model::tenant(&channel, issuer, "Herd Distribution").await?;
        let mut accounts = Vec::new();
        for (number, members) in members().into_iter().enumerate() {
            let id = model::account(&channel, &token, &tenant, &format!("Reseller {number}"), true).await?;
            let tags = tags(&channel, &token, &id).await?;
            accounts.push(Account { id, tags, members: members.into() });
        }
        let one = model::customer(&channel, &token, &accounts[0].id, &customers::token()).await?;

        let herd = Self { service, flooded, token, names: Arc::new(Names::new()), accounts };
        let mut sql = cluster.options(DATABASE).connect().await?;
        herd.fill(&mut sql, &tenant, &one).await?;
        sql.close().await?;
        Ok(herd)
    }

    /// How large it is.
    pub fn size(&self) -> String {
        let [largest, middle] = [0, MIDDLE].map(|place| self.accounts[place].members.len());
        format!("searches: {CUSTOMERS} customers in {ACCOUNTS} accounts, the largest {largest}; one of {middle} asks")
    }

    /// Measures one of the searches, or reads beside them.
    pub async fn measure(&self, path: Path, in_flight: usize, time: Duration) -> Result<Measured> {
        let (ask, account) = match path {
            Path::SearchAll => (Ask::All, MIDDLE),
            Path::SearchTag => (Ask::Tag, MIDDLE),
            Path::SearchList => (Ask::List, MIDDLE),
            Path::SearchSecondPage => (Ask::SecondPage, MIDDLE),
            Path::SearchNameLargest => (Ask::Name, 0),
            _ => (Ask::Name, MIDDLE),
        };
        let account = &self.accounts[account];
        let subjects = Subjects { names: Arc::clone(&self.names), members: Arc::clone(&account.members), tags: &TAGS };
        let server = if path.in_turn() { &self.flooded } else { &self.service };
        let crew = Crew { server, token: &self.token, account: &account.id, in_flight, time };
        let members = &account.members;
        match path {
            Path::GetSteady => return crew.paced(STEADY, |caller| GetMember::new(caller, Arc::clone(members))).await,
            Path::GetFlooded => {
                let mut flood = crew.flood(|caller| Search::new(caller, subjects.clone(), ask)).await?;
                let measured = crew.paced(STEADY, |caller| GetMember::new(caller, Arc::clone(members))).await?;
                return flood.try_join_next().map_or(Ok(measured), |failed| Err(failed?.message().into()));
            }
            _ => {}
        }
        crew.measure(|caller| Search::new(caller, subjects.clone(), ask)).await
    }

    /// Makes all customers of one that the service made: what makes them differ is laid over its rows.
    async fn fill(&self, sql: &mut PgConnection, tenant: &str, one: &str) -> Result<()> {
        let profile = format!("select profile from customers where id = '{one}'");
        let Json(profile): Json<Profile> = sqlx::query_scalar(AssertSqlSafe(profile)).fetch_one(&mut *sql).await?;
        // Building an index at once takes a tenth of the time of growing it.
        let indexes: Vec<(String, String)> = sqlx::query_as(
            "select indexname::text, indexdef from pg_indexes where schemaname = 'public' and indexdef like '%USING gin%'",
        )
        .fetch_all(&mut *sql)
        .await?;
        let mut begin =
            "set maintenance_work_mem = '256MB'; create temp table herd (laid_over jsonb not null);".to_owned();
        for (index, _) in &indexes {
            begin += &format!("drop index {index};");
        }
        sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *sql).await?;

        // As they came in time, not account by account: an account's customers lie far apart.
        let mut owners: Vec<(u64, &Account)> = self
            .accounts
            .iter()
            .flat_map(|account| account.members.iter().map(move |number| (*number, account)))
            .collect();
        owners.sort_unstable_by_key(|(number, _)| *number);
        for some in owners.chunks(AT_ONCE) {
            let rows = some.iter().map(|(number, account)| {
                let named = self.names.customer(*number);
                laid_over(*number, &named, account, tenant, profile.clone()).map(Json)
            });
            let rows = rows.collect::<Result<Vec<Json<Value>>>>()?;
            sqlx::query("insert into herd select unnest($1::jsonb[])").bind(rows).execute(&mut *sql).await?;
        }
        for table in model::TABLES {
            let columns = model::columns(sql, table).await?;
            let listed = columns.iter().map(|column| format!("made.{column}")).collect::<Vec<_>>().join(", ");
            let (columns, key) = (columns.join(", "), model::key(table));
            // Of its custom IDs the one that they all have.
            let only = if table == "custom_ids" { "and model.system = 'erp'" } else { "" };
            let insert = format!(
                "insert into {table} ({columns})
                 select {listed} from {table} model
                 cross join herd
                 cross join lateral jsonb_populate_record(model, herd.laid_over) made
                 where model.{key} = '{one}' {only}"
            );
            sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut *sql).await?;
        }
        let mut end = "insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
                       select tenant_id, id, account_id, unnest(owner_tags) from customers;"
            .to_owned();
        for (_, definition) in &indexes {
            end += &format!("{definition};");
        }
        sqlx::raw_sql(AssertSqlSafe(end)).execute(&mut *sql).await?;
        sqlx::raw_sql("vacuum analyze").execute(sql).await?;
        Ok(())
    }
}

/// The numbers of each account's customers.
fn members() -> Vec<Vec<u64>> {
    let mut ends = Vec::new();
    let mut end = 0;
    for place in 1..=ACCOUNTS as u64 {
        end += 1_000_000 / place;
        ends.push(end);
    }
    let mut members = vec![Vec::new(); ACCOUNTS];
    for number in 1..=CUSTOMERS {
        let chance = Dice::of(OWNER_SEED ^ number).below(end);
        members[ends.partition_point(|end| *end <= chance)].push(number);
    }
    members
}

/// Makes the tags of an account; their ids.
async fn tags(channel: &Channel, token: &Bearer, account: &str) -> Result<Vec<String>> {
    let mut client = TagServiceClient::new(channel.clone());
    let mut ids = Vec::new();
    for (name, _) in TAGS {
        let request = pb::CreateTagRequest { name: name.to_owned(), ..Default::default() };
        let made = done(client.create_tag(by(token, Some(account), request)).await)?;
        ids.push(made.tag.unwrap_or_default().id);
    }
    Ok(ids)
}

/// What a customer's rows have of its own, in all of its tables.
fn laid_over(number: u64, named: &Named, account: &Account, tenant: &str, mut profile: Profile) -> Result<Value> {
    let refused = |what: &str| format!("{what} of customer {number}: {}", named.name);
    let name = Name::parse(&named.name).map_err(|_| refused("name"))?;
    profile.legal_name = Text::parse_optional(&named.legal_name).map_err(|_| refused("legal name"))?;
    for (part, text) in [
        (AddressPart::Line1, named.street.as_str()),
        (AddressPart::Line2, ""),
        (AddressPart::PostalCode, &named.postal_code),
        (AddressPart::City, named.city),
        (AddressPart::State, named.state),
        (AddressPart::Country, named.country),
    ] {
        profile.primary_address.set(part, text).map_err(|_| refused("address"))?;
    }
    let email = Email::parse(&format!("info@{}.example", named.host)).map_err(|_| refused("email"))?;
    profile.email = Some(email);
    profile.phone = Phone::parse_optional(&named.phone, "").map_err(|_| refused("phone"))?;
    let tax_id = TaxId::parse(&named.tax_id, named.country).map_err(|_| refused("tax ID"))?;
    profile.tax_ids = TaxIds::try_new(vec![tax_id]).map_err(|_| refused("tax ID"))?;

    let custom_id = CustomId::parse(&named.number).map_err(|_| refused("custom ID"))?;
    let searchable = Searchable::of_parts(&name, &profile);
    let id = customers::id(HERD, number);
    let mut dice = Dice::of(TAG_SEED ^ number);
    let tags: Vec<&String> =
        account.tags.iter().zip(TAGS).filter(|(_, (_, share))| dice.below(1_000) < *share).map(|(id, _)| id).collect();
    let custom_ids = json!({"erp": custom_id});
    Ok(json!({
        "id": id, "customer_id": id, "account_id": account.id, "ancestors": [account.id, tenant],
        "name": name, "name_key": name.key(), "order_reference": null, "profile": profile,
        "owner_custom_ids": custom_ids, "custom_ids": custom_ids, "owner_tags": tags, "tags": tags,
        "value": custom_id, "value_key": custom_id.key(),
        "doc": searchable.doc(), "country": searchable.country(),
    }))
}
