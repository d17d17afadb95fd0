//! The rows `activate_feature` and `report`: chargeable features, a plan with their prices, customers with credit and features.

use std::collections::BTreeMap;

use clientele::grpc::{
    money::Money,
    pb::{self, billing_service_client::BillingServiceClient},
};
use sqlx::{AssertSqlSafe, PgConnection};
use tonic::Status;

use super::{
    Result,
    child::Server,
    clients::{Call, Caller, connect},
    customers::{self, CHANGED},
    issuer::{ADMIN, Issuer, authorized, into_answer},
    rng::Rng,
};

const CODE: &str = "voicemail";
/// What customers in a report have active.
const ACTIVE: [(&str, &str); 3] = [("call-recording", "Call recording"), ("fax", "Fax"), ("trunk", "SIP trunk")];

/// Makes the tenant sell the features, and gives so many customers credit for one.
pub async fn prepare(
    sql: &mut PgConnection,
    service: &Server,
    issuer: &Issuer,
    tenant: &str,
    count: u64,
) -> Result<()> {
    let (mut billing, admin) = (BillingServiceClient::new(connect(service).await?), issuer.bearer(ADMIN)?);
    let mut prices = BTreeMap::new();
    for (code, name) in [(CODE, "Voicemail")].into_iter().chain(ACTIVE) {
        let feature = pb::Feature {
            code: code.to_owned(),
            name: name.to_owned(),
            chargeable: true,
            service_classes: vec![pb::ServiceClass::Normal.into()],
            ..Default::default()
        };
        let request = pb::CreateFeatureRequest { feature: Some(feature), ..Default::default() };
        into_answer(billing.create_feature(authorized(&admin, Some(tenant), request)).await)?;
        prices.insert(code.to_owned(), Money { units: 0, nanos: 10_000_000, ..Default::default() });
    }
    let plan = pb::RatePlan { name: "Standard".to_owned(), currency: "EUR".to_owned(), prices, ..Default::default() };
    let request = pb::CreateRatePlanRequest { rate_plan: Some(plan), ..Default::default() };
    into_answer(billing.create_rate_plan(authorized(&admin, Some(tenant), request)).await)?;
    let credit = format!(
        r#"update customers set billing = '{{"credit_limit": "1000000", "credit_currency": "EUR"}}'
           where id between '{}' and '{}'"#,
        customers::id(CHANGED, 1),
        customers::id(CHANGED, count)
    );
    sqlx::raw_sql(AssertSqlSafe(credit)).execute(sql).await?;
    Ok(())
}

/// Gives all customers of the account credit and three features, as activations would.
pub async fn give_features(sql: &mut PgConnection, account: &str) -> Result<()> {
    let active = |(code, _)| {
        format!(
            r#""{code}": {{"quantity": 3, "since": "2026-01-07T03:04:05Z", "by": {{"issuer": "https://idp.example", "subject": "ada"}}}}"#
        )
    };
    let features = ACTIVE.map(active).join(", ");
    let given = format!(
        r#"update customers set billing = '{{"credit_limit": "1000000", "credit_currency": "EUR", "features": {{{features}}}}}'
           where account_id = '{account}'"#
    );
    sqlx::raw_sql(AssertSqlSafe(given)).execute(&mut *sql).await?;
    sqlx::raw_sql("vacuum analyze customers").execute(sql).await?;
    Ok(())
}

/// Activates the feature on a random customer out of so many, or changes its quantity.
pub struct ActivateFeature {
    caller: Caller,
    rng: Rng,
    count: u64,
}

impl ActivateFeature {
    pub fn new(caller: Caller, count: u64) -> Self {
        Self { caller, rng: Rng::new(), count }
    }
}

impl Call for ActivateFeature {
    async fn call(&mut self) -> std::result::Result<bool, Status> {
        let quantity = 1 + i32::try_from(self.rng.below(999_999)).unwrap_or_default();
        let message = pb::ActivateFeatureRequest {
            customer_id: customers::id(CHANGED, 1 + self.rng.below(self.count)).to_string(),
            code: CODE.to_owned(),
            quantity,
            ..Default::default()
        };
        let request = self.caller.request(message);
        let answer = self.caller.billing.activate_feature(request).await?.into_inner();
        let active = answer.customer.map(|customer| customer.active_features).unwrap_or_default();
        let is_active = |active: &pb::ActiveFeature| active.code == CODE && active.quantity == quantity;
        assert!(active.iter().any(is_active), "the feature is not active");
        Ok(true)
    }
}
