//! The billing report, and what PostgreSQL alone takes for the same rows.

use clientele::grpc::pb;
use sqlx::{ConnectOptions as _, PgConnection, postgres::PgConnectOptions};
use tokio_stream::StreamExt as _;
use tonic::Status;

use super::clients::{Call, Caller};

/// Fewer customers than the fixture has made: a report that has lost some is an error.
const AT_LEAST: usize = 10_000;

/// Reads the account's report to its end.
pub struct Report(Caller);

impl Report {
    pub fn new(caller: Caller) -> Self {
        Self(caller)
    }
}

impl Call for Report {
    async fn call(&mut self) -> Result<bool, Status> {
        let request = self.0.request(pb::StreamBillingReportRequest::default());
        let mut stream = self.0.billing.stream_billing_report(request).await?.into_inner();
        let mut rows = 0;
        while let Some(message) = stream.message().await? {
            rows += message.rows.len();
        }
        assert!(rows >= AT_LEAST, "{rows} rows");
        Ok(true)
    }
}

/// Reads the first message of the report of the account and all below it, and gives up the rest.
pub struct ReportFirst(Caller);

impl ReportFirst {
    pub fn new(caller: Caller) -> Self {
        Self(caller)
    }
}

impl Call for ReportFirst {
    async fn call(&mut self) -> Result<bool, Status> {
        let message = pb::StreamBillingReportRequest { include_descendants: true, ..Default::default() };
        let request = self.0.request(message);
        let mut stream = self.0.billing.stream_billing_report(request).await?.into_inner();
        let first = stream.message().await?.unwrap_or_default();
        assert!(!first.rows.is_empty(), "an empty report");
        Ok(true)
    }
}

/// Copies the same rows out of the database.
pub struct ReportCopy {
    options: PgConnectOptions,
    copy: String,
    session: Option<PgConnection>,
}

impl ReportCopy {
    pub fn new(options: PgConnectOptions, account: &str) -> Self {
        // What the report shows of plans and features, with joins in the place of its maps.
        let copy = format!(
            "copy (
                select c.id, c.account_id, c.name, c.owner_custom_ids, c.status, c.archived_at,
                       c.profile ->> 'billing_email', c.profile ->> 'currency', p.id, p.name, p.currency, f.features, f.total,
                       c.billing ->> 'credit_limit', (c.billing ->> 'credit_limit')::numeric - f.total
                from customers c
                join accounts a on a.tenant_id = c.tenant_id and a.id = c.account_id
                left join rate_plans p on p.tenant_id = c.tenant_id and p.id = coalesce(c.rate_plan_id, a.first_rate_plan_id)
                cross join lateral (
                    select jsonb_agg(jsonb_build_array(
                               f.code, f.name, e.value -> 'quantity', p.prices -> f.code,
                               (e.value ->> 'quantity')::numeric * (p.prices ->> f.code)::numeric
                           ) order by f.code) as features,
                           sum((e.value ->> 'quantity')::numeric * (p.prices ->> f.code)::numeric) as total
                    from jsonb_each(c.billing -> 'features') e
                    join features f on f.tenant_id = c.tenant_id and f.code = e.key
                ) f
                where c.tenant_id = (select tenant_id from accounts where id = '{account}') and c.account_id = '{account}'
                order by c.id
            ) to stdout"
        );
        Self { options, copy, session: None }
    }

    async fn copy(&mut self) -> sqlx::Result<usize> {
        let session = match &mut self.session {
            Some(session) => session,
            none => none.insert(self.options.connect().await?),
        };
        let mut rows = session.copy_out_raw(&self.copy).await?;
        let mut lines = 0;
        while let Some(chunk) = rows.next().await {
            lines += chunk?.iter().filter(|byte| **byte == b'\n').count();
        }
        Ok(lines)
    }
}

impl Call for ReportCopy {
    async fn call(&mut self) -> Result<bool, Status> {
        let lines = self.copy().await.map_err(|error| Status::internal(error.to_string()))?;
        assert!(lines >= AT_LEAST, "{lines} rows");
        Ok(true)
    }
}
