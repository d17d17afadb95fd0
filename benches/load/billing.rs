//! The row `activate_feature`: a chargeable feature, a plan with its price, customers with credit.

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

/// Makes the tenant sell the feature, and gives so many customers credit for it.
pub async fn prepare(
    sql: &mut PgConnection,
    service: &Server,
    issuer: &Issuer,
    tenant: &str,
    count: u64,
) -> Result<()> {
    let (mut billing, admin) = (BillingServiceClient::new(connect(service).await?), issuer.bearer(ADMIN)?);
    let feature = pb::Feature {
        code: CODE.to_owned(),
        name: "Voicemail".to_owned(),
        chargeable: true,
        service_classes: vec![pb::ServiceClass::Normal.into()],
        ..Default::default()
    };
    let request = pb::CreateFeatureRequest { feature: Some(feature), ..Default::default() };
    into_answer(billing.create_feature(authorized(&admin, Some(tenant), request)).await)?;
    let price = Money { units: 0, nanos: 10_000_000, ..Default::default() };
    let plan = pb::RatePlan {
        name: "Standard".to_owned(),
        currency: "EUR".to_owned(),
        prices: [(CODE.to_owned(), price)].into(),
        ..Default::default()
    };
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
        assert!(active.first().is_some_and(|active| active.quantity == quantity), "the feature is not active");
        Ok(true)
    }
}
