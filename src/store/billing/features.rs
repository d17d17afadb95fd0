//! The tenant's catalogue of features.

use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    domain::{
        access::caller::Scope,
        billing::{
            feature::{Feature, FeatureCode, ServiceClasses},
            refusal::BillingRefusal,
        },
        history::event::Changes,
        refusal::Refusal,
        values::{text::Text, timestamp::Timestamp},
    },
    error::{Error, Result},
    store::{
        mutation::mutation,
        rows::{self, Room, Rows},
        write::Write,
    },
    telemetry::{RowStream as _, Statement as _},
};

struct Row {
    code: String,
    name: String,
    chargeable: bool,
    service_classes: Vec<String>,
    retired: bool,
    created_at: Timestamp,
}

impl From<Row> for Feature {
    fn from(row: Row) -> Self {
        Self {
            code: FeatureCode::stored(row.code),
            name: Text::stored(row.name),
            chargeable: row.chargeable,
            service_classes: ServiceClasses::stored(&row.service_classes),
            retired: row.retired,
            created_at: row.created_at,
        }
    }
}

/// Lists the tenant's features by code, those after this one.
pub async fn list(
    conn: &mut PgConnection,
    scope: &Scope,
    after: &str,
    limit: i64,
    room: Room,
) -> Result<Rows<Feature>> {
    let rows = sqlx::query_as!(
        Row,
        r#"
        select code, name, chargeable, service_classes, retired, created_at from features
        where tenant_id = $1 and code > $2
        order by code
        limit $3
        "#,
        scope.tenant().get(),
        after,
        limit,
    )
    .fetch(conn)
    .named("features.list");
    rows::page(rows, room, |row| {
        let cost = 2 * (size_of::<Feature>() + row.code.len() + row.name.len()) + 64;
        Ok(Some((cost, Feature::from(row))))
    })
    .await
}

/// Counts the tenant's features.
pub async fn count(conn: &mut PgConnection, scope: &Scope) -> Result<usize> {
    let count =
        sqlx::query_scalar!(r#"select count(*) as "count!" from features where tenant_id = $1"#, scope.tenant().get(),)
            .fetch_one(conn)
            .named("features.count")
            .await?;
    usize::try_from(count).map_err(Error::internal)
}

/// Returns which of these codes the catalogue lacks.
pub async fn unknown(conn: &mut PgConnection, scope: &Scope, codes: &[FeatureCode]) -> Result<Vec<String>> {
    let unknown = sqlx::query_scalar!(
        r#"
        select k.code as "code!" from unnest($2::text[]) as k (code)
        where not exists (select from features f where f.tenant_id = $1 and f.code = k.code)
        order by 1
        "#,
        scope.tenant().get(),
        &codes.iter().map(|code| code.as_str().to_owned()).collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .named("features.unknown")
    .await?;
    Ok(unknown)
}

/// Returns which of these features are chargeable.
pub async fn chargeable(conn: &mut PgConnection, scope: &Scope, codes: &[FeatureCode]) -> Result<Vec<FeatureCode>> {
    let codes = sqlx::query_scalar!(
        "select code from features where tenant_id = $1 and code = any($2) and chargeable",
        scope.tenant().get(),
        &codes.iter().map(|code| code.as_str().to_owned()).collect::<Vec<_>>(),
    )
    .fetch_all(conn)
    .named("features.chargeable")
    .await?;
    Ok(codes.into_iter().map(FeatureCode::stored).collect())
}

/// Whether a customer uses one of these; see the table `feature_uses`.
pub async fn are_used(conn: &mut PgConnection, scope: &Scope, keys: &[String]) -> Result<bool> {
    let used = sqlx::query_scalar!(
        r#"
        select exists (
            select from unnest($2::text[]) as k (key)
            cross join lateral (
                select from feature_uses u where u.tenant_id = $1 and u.key = k.key limit 1
            ) u
        ) as "used!"
        "#,
        scope.tenant().get(),
        keys,
    )
    .fetch_one(conn)
    .named("features.are_used")
    .await?;
    Ok(used)
}

/// Locks a feature until the transaction ends: no customer gets it meanwhile.
///
/// # Errors
/// `FeatureNotFound`.
pub async fn lock(conn: &mut PgConnection, scope: &Scope, code: &FeatureCode) -> Result<Feature> {
    let row = sqlx::query_as!(
        Row,
        r#"
        select code, name, chargeable, service_classes, retired, created_at from features
        where tenant_id = $1 and code = $2
        for update
        "#,
        scope.tenant().get(),
        code.as_str(),
    )
    .fetch_optional(conn)
    .named("features.lock")
    .await?;
    row.map(Feature::from).ok_or_else(|| Refusal::from(BillingRefusal::FeatureNotFound).into())
}

/// Adds a feature to the catalogue. Stores the answer if one is given.
///
/// # Errors
/// A broken unique key, unmapped: the catalogue has the code, or the request is a repeat.
pub async fn create(
    conn: &mut PgConnection,
    scope: &Scope,
    feature: &Feature,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = write.event("FEATURE_CREATED", Changes::of_feature(None, feature));
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            insert into features (tenant_id, code, name, chargeable, service_classes, retired, created_at)
            values ($1, $12, $13, $14, $15, $16, $9)
            returning code
        )" RECORDED,
        feature.code.as_str(),
        feature.name.as_str(),
        feature.chargeable,
        &words(feature),
        feature.retired,
    )
    .fetch_one(conn)
    .named("features.create")
    .await?;
    Ok(())
}

/// Writes a locked feature that has changed.
///
/// # Errors
/// A broken unique key, unmapped: the request is a repeat.
pub async fn update(
    conn: &mut PgConnection,
    scope: &Scope,
    before: &Feature,
    after: &Feature,
    answer: Option<Value>,
    write: Write<'_>,
) -> Result<()> {
    let event = write.event("FEATURE_UPDATED", Changes::of_feature(Some(before), after));
    let answer = answer.and_then(|answer| write.answer(answer));
    mutation!(
        write.recorded(scope.tenant(), &[event], answer.as_slice()),
        "with written as (
            update features set
                name = $13, chargeable = $14, service_classes = $15, retired = $16, revision = revision + 1
            where tenant_id = $1 and code = $12
            returning code
        )" RECORDED,
        after.code.as_str(),
        after.name.as_str(),
        after.chargeable,
        &words(after),
        after.retired,
    )
    .fetch_one(conn)
    .named("features.update")
    .await?;
    Ok(())
}

fn words(feature: &Feature) -> Vec<String> {
    feature.service_classes.as_slice().iter().map(|class| class.as_str().to_owned()).collect()
}
