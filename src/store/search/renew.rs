//! Keeps the text of customers that an older release wrote.

use std::collections::BTreeMap;

use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    domain::{
        fields::{customer_fields::CustomerFields, profile::Profile},
        search::{Searchable, SearchableIds, VERSION},
        values::{
            custom_id::CustomId,
            enums::{CustomerType, Origin, Reach, ServiceClass},
            name::Name,
            text::Text,
        },
    },
    telemetry::Statement as _,
};

/// Customers whose text one statement makes.
const AT_ONCE: i64 = 500;

/// The custom IDs that one account gave one customer.
#[derive(Debug, serde::Deserialize)]
struct Given {
    account_id: Uuid,
    values: Vec<CustomId>,
}

/// A row of `customer_search`.
#[derive(serde::Serialize)]
struct Element<'a> {
    tenant_id: Uuid,
    customer_id: Uuid,
    account_id: Uuid,
    id_grams: BTreeMap<Uuid, Vec<i32>>,
    #[serde(flatten)]
    text: &'a Searchable,
}

/// Makes the text of customers that have none or an older one, and of their custom IDs. Returns of how many customers.
///
/// # Errors
/// What the server says. It can be called again, and goes on.
pub(in crate::store) async fn renew(conn: &mut PgConnection) -> sqlx::Result<usize> {
    let (mut last, mut made) = ((Uuid::nil(), Uuid::nil()), 0);
    loop {
        let batch = sqlx::query!(
            r#"
            select c.tenant_id, c.id, c.account_id, c.name, c.order_reference, c.type, c.service_class, c.reach, c.origin,
                   c.profile as "profile: Json<Profile>", (
                       select jsonb_agg(g) from (
                           select i.account_id, jsonb_agg(i.value) as values from custom_ids i
                           where i.tenant_id = c.tenant_id and i.customer_id = c.id
                           group by i.account_id
                       ) g
                   ) as "given: Json<Vec<Given>>"
            from customers c
            where (c.tenant_id, c.id) > ($1, $2) and not exists (
                select from customer_search s
                where s.tenant_id = c.tenant_id and s.customer_id = c.id and s.version >= $4
            )
            order by c.tenant_id, c.id
            limit $3
            "#,
            last.0,
            last.1,
            AT_ONCE,
            VERSION,
        )
        .fetch_all(&mut *conn)
        .named("search.find_old_texts")
        .await?;
        let Some(end) = batch.last() else { return Ok(made) };
        last = (end.tenant_id, end.id);
        made += batch.len();
        let texts: Vec<Searchable> = batch
            .iter()
            .map(|row| {
                Searchable::of(&CustomerFields {
                    customer_type: CustomerType::stored(&row.r#type),
                    service_class: ServiceClass::stored(&row.service_class),
                    reach: Reach::stored(&row.reach),
                    order_reference: row.order_reference.clone().map(Text::stored),
                    profile: row.profile.0.clone(),
                    ..CustomerFields::new(Name::from(row.name.clone()), Origin::stored(&row.origin))
                })
            })
            .collect();
        let elements: Vec<Element<'_>> = batch
            .iter()
            .zip(&texts)
            .map(|(row, text)| {
                let given = row.given.iter().flat_map(|given| given.iter());
                let id_grams = given.map(|it| (it.account_id, SearchableIds::of(&it.values).grams())).collect();
                Element { tenant_id: row.tenant_id, customer_id: row.id, account_id: row.account_id, id_grams, text }
            })
            .collect();
        let values = batch
            .iter()
            .flat_map(|row| row.given.iter().flat_map(|given| given.iter()).map(move |given| (row, given)))
            .flat_map(|(row, given)| given.values.iter().map(|id| (row.tenant_id, row.id, id.as_str().to_owned())))
            .collect();
        write(conn, &elements, values).await?;
    }
}

/// Writes rows of `customer_search`, and the words of custom IDs: of each its tenant, customer and value.
async fn write(conn: &mut PgConnection, elements: &[Element<'_>], ids: Vec<(Uuid, Uuid, String)>) -> sqlx::Result<()> {
    let words: Vec<String> = ids.iter().map(|(_, _, value)| SearchableIds::words(value)).collect();
    let (tenants, rest): (Vec<Uuid>, Vec<(Uuid, String)>) = ids.into_iter().map(|(a, b, c)| (a, (b, c))).unzip();
    let (customers, values): (Vec<Uuid>, Vec<String>) = rest.into_iter().unzip();
    sqlx::query!(
        "
        with words as (
            update custom_ids i set search_words = e.words
            from unnest($2::uuid[], $3::uuid[], $4::text[], $5::text[]) as e (tenant_id, customer_id, value, words)
            where i.tenant_id = e.tenant_id and i.customer_id = e.customer_id and i.value = e.value
              and i.search_words <> e.words
        )
        insert into customer_search (
            tenant_id, customer_id, account_id, name, bucket, doc, country, grams, id_grams, version
        )
        select tenant_id, customer_id, account_id, name, bucket, doc, country, grams, id_grams, version
        from jsonb_populate_recordset(null::customer_search, $1)
        on conflict (tenant_id, customer_id) do update set
            (name, bucket, doc, country, grams, version) = (
                excluded.name, excluded.bucket, excluded.doc, excluded.country, excluded.grams, excluded.version
            ),
            account_id = coalesce(customer_search.account_id, excluded.account_id),
            id_grams = (
                select coalesce(jsonb_object_agg(i.account_id, i.grams), '{}') from (
                    select e.key as account_id, jsonb_agg(distinct g) as grams
                    from (
                        select * from jsonb_each(customer_search.id_grams) union all
                        select * from jsonb_each(excluded.id_grams)
                    ) e
                    cross join lateral jsonb_array_elements(e.value) g
                    group by e.key
                ) i
            )
        -- A row that the service wrote since the batch was read is not older. So is an owner, and a custom ID, that it wrote into an
        -- old row.
        where customer_search.version < excluded.version
        ",
        Json(elements) as _,
        &tenants,
        &customers,
        &values,
        &words,
    )
    .execute(&mut *conn)
    .named("search.renew_texts")
    .await?;
    Ok(())
}
