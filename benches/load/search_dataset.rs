//! Many customers of many accounts, for the searches. They have a database and a service of their own, so that other paths
//! do not write to their indexes, and they do not slow down other paths.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, types::Json};
use tonic::transport::Channel;

use super::{
    Options, Path, Result,
    calls::GetMember,
    child::{Scratch, Server},
    clients::{Clients, Measured, connect},
    customers::{self, SEARCHED},
    duplicates::FindDuplicates,
    fixture::{LONG_WAITS, serve},
    issuer::{ADMIN, Bearer, Issuer, authorized, into_answer},
    model,
    names::{Details, Names},
    reports::ReportFirst,
    rng::Rng,
    searches::{Search, SearchKind, Subjects},
};
use clientele::{
    domain::{
        duplicates::stored_keys,
        fields::{customer_fields::CustomerFields, profile::Profile},
        search::{Searchable, SearchableIds},
        values::{
            address::AddressPart,
            contact::Contact,
            contacts::Contacts,
            custom_id::CustomId,
            email::Email,
            enums::Origin,
            name::Name,
            phone::Phone,
            sort_key::SortKey,
            tax_id::{TaxId, TaxIds},
            text::Text,
        },
    },
    embedded::Cluster,
    grpc::pb::{self, tag_service_client::TagServiceClient},
    store::migrations,
};

const DATABASE: &str = "search_dataset";
/// Number of accounts. The second has half as many customers as the first, the third a third, and so on.
const ACCOUNTS: usize = 100;
/// The index of the account that searches.
const MIDDLE: usize = 9;
/// The tags of every account; each with the number of customers out of a thousand that have it.
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
/// Number of customers that one statement sends.
const AT_ONCE: usize = 2_000;
/// Reads per second during a flood: a tenth of what a machine with two cores reads.
const STEADY: f64 = 500.0;
/// Searches may use one of two cores.
const FLOOD_CONNECTIONS: usize = 1;
/// Seeds that differ from the seed of the name, which is the number: names must not depend on account or tag.
const OWNER_SEED: u64 = 1 << 62;
const TAG_SEED: u64 = 1 << 63;

pub struct SearchDataset {
    service: Server,
    /// With few connections for searches.
    flooded: Server,
    token: Bearer,
    names: Arc<Names>,
    accounts: Vec<Account>,
    /// The account above all of them.
    tenant: String,
}

/// An account, with the ids of its tags and the numbers of its customers.
struct Account {
    id: String,
    tags: Vec<String>,
    members: Arc<[u64]>,
}

impl SearchDataset {
    pub async fn make(cluster: &Cluster, scratch: &Scratch, issuer: &Issuer, options: &Options) -> Result<Self> {
        let (connections, customers) = (options.connections, options.customers);
        eprintln!("making {customers} customers for the searches");
        migrations::create_database(&cluster.options("postgres"), DATABASE).await?;
        migrations::migrate(&cluster.options(DATABASE), || ()).await?;
        let url = cluster.url(DATABASE);
        // As many searches as connections are measured at once.
        let searches = format!("--search-pool-size={connections}");
        let all = [&LONG_WAITS[..], &[&searches]].concat();
        let service = serve(scratch, &url, connections, &all)?;
        let flooded = serve(scratch, &url, connections, &[&format!("--search-pool-size={FLOOD_CONNECTIONS}")])?;
        let (channel, token) = (connect(&service).await?, issuer.bearer(ADMIN)?);
        let tenant = model::tenant(&channel, issuer, "Search Distribution").await?;
        let mut accounts = Vec::new();
        for (number, members) in members(customers).into_iter().enumerate() {
            let id = model::account(&channel, &token, &tenant, &format!("Reseller {number}"), true).await?;
            let tags = tags(&channel, &token, &id).await?;
            accounts.push(Account { id, tags, members: members.into() });
        }
        let one = model::customer(&channel, &token, &accounts[0].id, &customers::token()).await?;

        let search_dataset = Self { service, flooded, token, names: Arc::new(Names::new()), accounts, tenant };
        let mut sql = cluster.options(DATABASE).connect().await?;
        search_dataset.fill(&mut sql, &one).await?;
        sql.close().await?;
        Ok(search_dataset)
    }

    /// The size, as text.
    pub fn size(&self) -> String {
        let customers: usize = self.accounts.iter().map(|account| account.members.len()).sum();
        let [largest, middle] = [0, MIDDLE].map(|place| self.accounts[place].members.len());
        format!(
            "searches: {customers} customers in {ACCOUNTS} accounts; the largest has {largest}, the one that searches {middle}"
        )
    }

    /// Measures one of the searches, or reads during a flood of them.
    pub async fn measure(&self, path: Path, in_flight: usize, time: Duration) -> Result<Measured> {
        let (kind, account) = match path {
            Path::SearchAll => (SearchKind::All, MIDDLE),
            Path::SearchTag => (SearchKind::Tag, MIDDLE),
            Path::SearchList => (SearchKind::List, MIDDLE),
            Path::SearchSecondPage => (SearchKind::SecondPage, MIDDLE),
            Path::SearchRare => (SearchKind::Rare, MIDDLE),
            Path::SearchTwoWords => (SearchKind::TwoWords, MIDDLE),
            Path::SearchCity => (SearchKind::City, MIDDLE),
            Path::SearchNumber => (SearchKind::Number, MIDDLE),
            Path::SearchShort => (SearchKind::Short, MIDDLE),
            Path::SearchNone => (SearchKind::Nothing, MIDDLE),
            Path::SearchBelow => (SearchKind::Below, MIDDLE),
            Path::SearchNameLargest => (SearchKind::Name, 0),
            _ => (SearchKind::Name, MIDDLE),
        };
        let account = &self.accounts[account];
        let subjects = Subjects { names: Arc::clone(&self.names), members: Arc::clone(&account.members), tags: &TAGS };
        let server = if path.is_paired() { &self.flooded } else { &self.service };
        let above = matches!(path, Path::SearchBelow | Path::ReportFirst);
        let caller = if above { &self.tenant } else { &account.id };
        let clients = Clients { server, token: &self.token, account: caller, in_flight, time };
        let members = &account.members;
        match path {
            Path::ReportFirst => return clients.measure(ReportFirst::new).await,
            Path::FindDuplicates => {
                return clients.measure(|caller| FindDuplicates::new(caller, subjects.clone())).await;
            }
            Path::GetSteady => {
                return clients.paced(STEADY, |caller| GetMember::new(caller, Arc::clone(members))).await;
            }
            Path::GetFlooded => {
                let mut flood = clients.flood(|caller| Search::new(caller, subjects.clone(), kind)).await?;
                let measured = clients.paced(STEADY, |caller| GetMember::new(caller, Arc::clone(members))).await?;
                return flood.try_join_next().map_or(Ok(measured), |failed| Err(failed?.message().into()));
            }
            _ => {}
        }
        clients.measure(|caller| Search::new(caller, subjects.clone(), kind)).await
    }

    /// Makes all customers from one that the service created: its rows, with other values in some columns.
    async fn fill(&self, sql: &mut PgConnection, one: &str) -> Result<()> {
        let profile = format!("select profile from customers where id = '{one}'");
        let Json(profile): Json<Profile> = sqlx::query_scalar(AssertSqlSafe(profile)).fetch_one(&mut *sql).await?;
        // Building an index afterwards takes a tenth of the time.
        let indexes: Vec<(String, String)> = sqlx::query_as(
            "select indexname::text, indexdef from pg_indexes where schemaname = 'public' and indexdef like '%USING gin%'",
        )
        .fetch_all(&mut *sql)
        .await?;
        let mut begin =
            "set maintenance_work_mem = '256MB'; create temp table search_dataset (overrides jsonb not null);"
                .to_owned();
        // The model is no customer that a look-up of duplicates should find.
        begin += "delete from duplicate_keys;";
        for (index, _) in &indexes {
            begin += &format!("drop index {index};");
        }
        sqlx::raw_sql(AssertSqlSafe(begin)).execute(&mut *sql).await?;

        // In order of creation, not account by account: the rows of an account's customers are far apart.
        let mut owners: Vec<(u64, &Account)> = self
            .accounts
            .iter()
            .flat_map(|account| account.members.iter().map(move |number| (*number, account)))
            .collect();
        owners.sort_unstable_by_key(|(number, _)| *number);
        for some in owners.chunks(AT_ONCE) {
            let rows = some.iter().map(|(number, account)| {
                let details = self.names.customer(*number);
                overrides(*number, &details, account, &self.tenant, profile.clone()).map(Json)
            });
            let rows = rows.collect::<Result<Vec<Json<Value>>>>()?;
            sqlx::query("insert into search_dataset select unnest($1::jsonb[])").bind(rows).execute(&mut *sql).await?;
        }
        for table in model::TABLES {
            let columns = model::columns(sql, table).await?;
            let listed = columns.iter().map(|column| format!("made.{column}")).collect::<Vec<_>>().join(", ");
            let (columns, key) = (columns.join(", "), model::key(table));
            // Of its custom IDs only the one that all customers have.
            let only = if table == "custom_ids" { "and model.system = 'erp'" } else { "" };
            let text = if table == "customer_search" { "|| (search_dataset.overrides -> 'text')" } else { "" };
            let insert = format!(
                "insert into {table} ({columns})
                 select {listed} from {table} model
                 cross join search_dataset
                 cross join lateral jsonb_populate_record(model, search_dataset.overrides {text}) made
                 where model.{key} = '{one}' {only}"
            );
            sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut *sql).await?;
        }
        let mut end = "insert into customer_tags (tenant_id, customer_id, account_id, tag_id)
                       select tenant_id, id, account_id, unnest(owner_tags) from customers;
                       insert into duplicate_keys (tenant_id, account_id, key, customer_id)
                       select c.tenant_id, a, k::bigint, c.id
                       from search_dataset d
                       join customers c on c.id = (d.overrides ->> 'id')::uuid
                       cross join jsonb_array_elements_text(d.overrides -> 'duplicate_keys') k
                       cross join unnest(c.ancestors) a;"
            .to_owned();
        for (index, definition) in &indexes {
            end += &format!("{definition};");
            // The definition does not say so: migrations/0111.
            if definition.contains("_lexemes(") {
                end += &format!("alter index {index} alter column 1 set statistics 0;");
            }
        }
        sqlx::raw_sql(AssertSqlSafe(end)).execute(&mut *sql).await?;
        sqlx::raw_sql("vacuum analyze").execute(sql).await?;
        Ok(())
    }
}

/// The numbers of each account's customers.
fn members(customers: u64) -> Vec<Vec<u64>> {
    let mut ends = Vec::new();
    let mut end = 0;
    for place in 1..=ACCOUNTS as u64 {
        end += 1_000_000 / place;
        ends.push(end);
    }
    let mut members = vec![Vec::new(); ACCOUNTS];
    for number in 1..=customers {
        let chance = Rng::seeded(OWNER_SEED ^ number).below(end);
        members[ends.partition_point(|end| *end <= chance)].push(number);
    }
    members
}

/// Creates the tags of an account; returns their ids.
async fn tags(channel: &Channel, token: &Bearer, account: &str) -> Result<Vec<String>> {
    let mut client = TagServiceClient::new(channel.clone());
    let mut ids = Vec::new();
    for (name, _) in TAGS {
        let request = pb::CreateTagRequest { name: name.to_owned(), ..Default::default() };
        let made = into_answer(client.create_tag(authorized(token, Some(account), request)).await)?;
        ids.push(made.tag.unwrap_or_default().id);
    }
    Ok(ids)
}

/// The values of one customer that differ from the model's, for all of its tables.
fn overrides(number: u64, details: &Details, account: &Account, tenant: &str, mut profile: Profile) -> Result<Value> {
    let refused = |what: &str| format!("{what} of customer {number}: {}", details.name);
    let name = Name::parse(&details.name).map_err(|_| refused("name"))?;
    profile.legal_name = Text::parse_optional(&details.legal_name).map_err(|_| refused("legal name"))?;
    for (part, text) in [
        (AddressPart::Line1, details.street.as_str()),
        (AddressPart::Line2, ""),
        (AddressPart::PostalCode, &details.postal_code),
        (AddressPart::City, details.city),
        (AddressPart::State, details.state),
        (AddressPart::Country, details.country),
    ] {
        profile.primary_address.set(part, text).map_err(|_| refused("address"))?;
    }
    let email = Email::parse(&format!("info@{}.example", details.host)).map_err(|_| refused("email"))?;
    profile.email = Some(email);
    profile.phone = Phone::parse_optional(&details.phone, "").map_err(|_| refused("phone"))?;
    profile.billing_email = None;
    profile.fax = None;
    profile.registration_number = None;
    let contacts = profile.contacts.as_slice().iter().enumerate().map(|(place, contact)| {
        let email = Email::parse(&details.contact_email()).ok().filter(|_| place == 0);
        Contact { email, phone: None, ..contact.clone() }
    });
    profile.contacts = Contacts::try_new(contacts.collect()).map_err(|_| refused("contacts"))?;
    let tax_id = TaxId::parse(&details.tax_id, details.country).map_err(|_| refused("tax ID"))?;
    profile.tax_ids = TaxIds::try_new(vec![tax_id]).map_err(|_| refused("tax ID"))?;

    let custom_id = CustomId::parse(&details.number).map_err(|_| refused("custom ID"))?;
    let fields = CustomerFields { profile: Box::new(profile), ..CustomerFields::new(name, Origin::Api) };
    let (name, profile, searchable) = (&fields.name, &fields.profile, Searchable::of(&fields));
    let id = customers::id(SEARCHED, number);
    let mut rng = Rng::seeded(TAG_SEED ^ number);
    let tags: Vec<&String> =
        account.tags.iter().zip(TAGS).filter(|(_, (_, share))| rng.below(1_000) < *share).map(|(id, _)| id).collect();
    let custom_ids = json!({"erp": custom_id});
    Ok(json!({
        "id": id, "customer_id": id, "account_id": account.id, "ancestors": [account.id, tenant],
        "name": name, "name_key": name.key(), "name_sort": SortKey::of(name.as_str()),
        "order_reference": null, "profile": profile,
        "owner_custom_ids": custom_ids, "custom_ids": custom_ids, "owner_tags": tags, "tags": tags,
        "value": custom_id, "value_key": custom_id.key(),
        "search_words": SearchableIds::words(custom_id.as_str()), "lexemes": SearchableIds::of([&custom_id]),
        "bucket": searchable.bucket(), "text": searchable, "duplicate_keys": stored_keys(&fields),
        "id_lexemes": SearchableIds::of([&custom_id]),
    }))
}
