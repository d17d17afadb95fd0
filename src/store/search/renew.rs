//! Keeps the text of customers that an older release wrote.

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
    ancestors: &'a [Uuid],
    /// Of the owner's custom IDs.
    id_lexemes: SearchableIds,
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
            select c.tenant_id, c.id, c.account_id, c.ancestors, c.name, c.order_reference, c.type, c.service_class, c.reach, c.origin,
                   c.profile as "profile: Json<Profile>", (
                       select jsonb_agg(g) from (
                           select i.account_id, jsonb_agg(i.value order by i.is_current desc, i.created_at desc) as values from custom_ids i
                           where i.tenant_id = c.tenant_id and i.customer_id = c.id
                           group by i.account_id
                       ) g
                   ) as "given: Json<Vec<Given>>"
            from customers c
            where (c.tenant_id, c.id) > ($1, $2) and not exists (
                select from customer_search s
                where s.tenant_id = c.tenant_id and s.customer_id = c.id and s.version >= $4
            ) and c.status not in ('MERGED', 'ERASED')
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
                    profile: Box::new(row.profile.0.clone()),
                    ..CustomerFields::new(Name::from(row.name.clone()), Origin::stored(&row.origin))
                })
            })
            .collect();
        let elements: Vec<Element<'_>> = batch
            .iter()
            .zip(&texts)
            .map(|(row, text)| {
                let own = row.given.iter().flat_map(|given| given.iter()).filter(|it| it.account_id == row.account_id);
                let id_lexemes = SearchableIds::of(own.flat_map(|given| &given.values));
                let (tenant_id, customer_id, account_id) = (row.tenant_id, row.id, row.account_id);
                Element { tenant_id, customer_id, account_id, ancestors: &row.ancestors, id_lexemes, text }
            })
            .collect();
        let custom_ids: Vec<CustomIdElement<'_>> = batch
            .iter()
            .zip(&texts)
            .flat_map(|(row, text)| {
                let values = row.given.iter().flat_map(|given| given.iter()).flat_map(|given| &given.values);
                values.map(|id| CustomIdElement {
                    tenant_id: row.tenant_id,
                    customer_id: row.id,
                    value: id.as_str(),
                    search_words: SearchableIds::words(id.as_str()),
                    lexemes: SearchableIds::of([id]),
                    bucket: text.bucket(),
                })
            })
            .collect();
        write(conn, &elements, &custom_ids).await?;
    }
}

/// A row of `custom_ids`, as the statement reads it.
#[derive(serde::Serialize)]
struct CustomIdElement<'a> {
    tenant_id: Uuid,
    customer_id: Uuid,
    value: &'a str,
    search_words: String,
    lexemes: SearchableIds,
    bucket: u8,
}

/// Writes rows of `customer_search` and what is searched of custom IDs.
async fn write(
    conn: &mut PgConnection,
    elements: &[Element<'_>],
    custom_ids: &[CustomIdElement<'_>],
) -> sqlx::Result<()> {
    sqlx::query!(
        "
        with words as (
            update custom_ids i set (search_words, lexemes, bucket, elsewhere) = (
                e.search_words, e.lexemes, e.bucket, i.account_id <> c.account_id
            )
            from jsonb_to_recordset($2) as e (
                tenant_id uuid, customer_id uuid, value text, search_words text, lexemes tsvector, bucket smallint
            )
            join customers c on c.tenant_id = e.tenant_id and c.id = e.customer_id
            where i.tenant_id = e.tenant_id and i.customer_id = e.customer_id and i.value = e.value
              and (i.search_words, i.lexemes, i.bucket, i.elsewhere)
                  is distinct from (e.search_words, e.lexemes, e.bucket, i.account_id <> c.account_id)
        )
        insert into customer_search (
            tenant_id, customer_id, account_id, ancestors, name, name_sort, bucket, doc, country, lexemes, id_lexemes, version
        )
        select tenant_id, customer_id, account_id, ancestors, name, name_sort, bucket, doc, country, lexemes, id_lexemes, version
        from jsonb_populate_recordset(null::customer_search, $1)
        on conflict (tenant_id, customer_id) do update set
            (name, name_sort, bucket, doc, country, lexemes, version) = (
                excluded.name, excluded.name_sort, excluded.bucket, excluded.doc, excluded.country, excluded.lexemes, excluded.version
            ),
            (account_id, ancestors) = (
                coalesce(customer_search.account_id, excluded.account_id),
                coalesce(customer_search.ancestors, excluded.ancestors)
            ),
            id_lexemes = case
                when customer_search.account_id <> excluded.account_id then customer_search.id_lexemes
                when length(customer_search.id_lexemes) >= 10000 then customer_search.id_lexemes
                else customer_search.id_lexemes || excluded.id_lexemes
            end
        -- What the service wrote since the batch was read stays: a row that is not older, and in an older row an owner and
        -- custom IDs.
        where customer_search.version < excluded.version
        ",
        Json(elements) as _,
        Json(custom_ids) as _,
    )
    .execute(&mut *conn)
    .named("search.renew_texts")
    .await?;
    Ok(())
}
