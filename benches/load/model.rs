//! A tenant with accounts, and a customer in it, created through the service. SQL copies that customer.

use clientele::grpc::pb::{
    self, account_service_client::AccountServiceClient, customer_service_client::CustomerServiceClient,
};
use sqlx::{AssertSqlSafe, PgConnection};
use tonic::transport::Channel;

use super::{
    Result,
    child::Server,
    clients::connect,
    customers::{self, PENDING},
    issuer::{ADMIN, Bearer, Issuer, OPERATOR, authorized, into_answer},
    pgbench::{self, Log},
};

/// The tables with the data of a customer, except its events and stored answers.
pub const TABLES: [&str; 4] = ["customers", "customer_links", "custom_ids", "customer_search"];

/// The column of such a table with the customer's id.
pub fn key(table: &str) -> &'static str {
    if table == "customers" { "id" } else { "customer_id" }
}

/// The columns of a table, except generated ones.
pub async fn columns(sql: &mut PgConnection, table: &str) -> Result<Vec<String>> {
    let columns = sqlx::query_scalar(
        "select quote_ident(column_name)
         from information_schema.columns
         where table_schema = 'public' and table_name = $1 and is_generated = 'NEVER'
         order by ordinal_position",
    );
    Ok(columns.bind(table).fetch_all(sql).await?)
}

/// Creates a tenant whose administrator is ADMIN; returns its id.
pub async fn tenant(channel: &Channel, issuer: &Issuer, name: &str) -> Result<String> {
    let tenant = pb::CreateTenantRequest {
        tenant: Some(pb::Tenant { name: name.to_owned(), ..Default::default() }),
        first_admin: Some(pb::Principal { subject: ADMIN.to_owned(), ..Default::default() }),
        ..Default::default()
    };
    let operator = issuer.bearer(OPERATOR)?;
    let made = AccountServiceClient::new(channel.clone()).create_tenant(authorized(&operator, None, tenant)).await;
    Ok(into_answer(made)?.account.unwrap_or_default().id)
}

/// Creates an account of the tenant, where new customers are pending or approved at once; returns its id.
pub async fn account(
    channel: &Channel,
    admin: &Bearer,
    tenant: &str,
    name: &str,
    auto_approve: bool,
) -> Result<String> {
    let policies = pb::AccountPolicies { auto_approve: Some(auto_approve), ..Default::default() };
    let account = pb::Account { name: name.to_owned(), policies: Some(policies), ..Default::default() };
    let account = pb::CreateAccountRequest { account: Some(account), ..Default::default() };
    let made =
        AccountServiceClient::new(channel.clone()).create_account(authorized(admin, Some(tenant), account)).await;
    Ok(into_answer(made)?.account.unwrap_or_default().id)
}

/// Creates a customer with every field, with the token in its values; returns its id.
pub async fn customer(channel: &Channel, admin: &Bearer, account: &str, token: &str) -> Result<String> {
    // The values of its copies are the same, so that a look-up of duplicates would find twenty.
    let mut message = customers::create(token);
    message.set_duplicate_policy(pb::DuplicatePolicy::Ignore);
    let request = authorized(admin, Some(account), message);
    let made = CustomerServiceClient::new(channel.clone()).create_customer(request).await;
    Ok(into_answer(made)?.customer.unwrap_or_default().id)
}

/// A customer that the service created in an account where new customers are pending, and the statements that created and
/// read it.
pub struct Model {
    pub tenant: String,
    pub account: String,
    /// Its id.
    pub customer: String,
    /// The token in its values.
    pub token: String,
    pub answer: pb::GetCustomerResponse,
    pub created: Vec<pgbench::Statement>,
    pub read: Vec<pgbench::Statement>,
}

impl Model {
    pub async fn make(service: &Server, issuer: &Issuer, log: &Log) -> Result<Self> {
        let (channel, admin) = (connect(service).await?, issuer.bearer(ADMIN)?);
        let tenant = tenant(&channel, issuer, "Load Distribution").await?;
        let account = account(&channel, &admin, &tenant, "Load Reseller", false).await?;
        let (customer, token, created) = logged_create(&channel, &admin, &account, log).await?;
        let from = log.end()?;
        let read = pb::GetCustomerRequest { customer_id: customer.clone(), view: pb::CustomerView::Full.into() };
        let read = authorized(&admin, Some(&account), read);
        let answer = into_answer(CustomerServiceClient::new(channel).get_customer(read).await)?;
        let read = log.statements(from)?;
        Ok(Self { tenant, account, customer, token, answer, created, read })
    }

    /// Logs a create again, after a change of what it is decided by.
    pub async fn create_again(&mut self, service: &Server, issuer: &Issuer, log: &Log) -> Result<()> {
        let (channel, admin) = (connect(service).await?, issuer.bearer(ADMIN)?);
        (_, self.token, self.created) = logged_create(&channel, &admin, &self.account, log).await?;
        Ok(())
    }

    /// Copies the customer so many times, with other ids and tokens.
    pub async fn copy(&self, sql: &mut PgConnection, kind: &str, count: u64) -> Result<()> {
        let status = if kind == PENDING { "PENDING" } else { "ACTIVE" };
        for table in TABLES {
            let (key, token, id) = (key(table), &self.token, &self.customer);
            let columns = columns(sql, table).await?;
            let listed = columns.iter().map(|column| format!("copy.{column}")).collect::<Vec<_>>().join(", ");
            let columns = columns.join(", ");
            let copy = format!(
                "insert into {table} ({columns})
                 select {listed}
                 from {table} model
                 cross join generate_series(1, {count}) n
                 cross join lateral jsonb_populate_record(
                     null::{table},
                     replace(
                         replace(to_jsonb(model)::text, '{token}', md5('{kind}' || n)),
                         '{id}', '{kind}' || lpad(to_hex(n), 12, '0')
                     )::jsonb || '{{\"status\": \"{status}\"}}'
                 ) copy
                 where model.{key} = '{id}'"
            );
            sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut *sql).await?;
        }
        Ok(())
    }
}

/// Creates a customer; returns its id, its token, and the statements that created it.
async fn logged_create(
    channel: &Channel,
    admin: &Bearer,
    account: &str,
    log: &Log,
) -> Result<(String, String, Vec<pgbench::Statement>)> {
    // The first call also reads the caller's membership; the second is like all others.
    customer(channel, admin, account, &customers::token()).await?;
    let (token, from) = (customers::token(), log.end()?);
    let customer = customer(channel, admin, account, &token).await?;
    Ok((customer, token, log.statements(from)?))
}
