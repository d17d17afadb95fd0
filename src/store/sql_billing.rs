//! The pieces of statements that are about billing. Each is used of a customer `c`.

/// Puts a piece into the text, and goes on with the macro `back`. A name that is not here is one of [`search_piece!`](super::sql_search::search_piece).
///
/// * `BILLED`: the plan of the customer's own, its billing, and the terms that apply to it if `IS_BILLED`. `BILLED_IN_VIEW`: the same where
///   the view FULL is asked for, $5 as in `RECORD_IN_VIEW`. `BILLED_OF_BATCH`: none of it.
/// * `IS_BILLED`: whether the caller does not know these terms: it knows those of a customer of the acting account that was never put
///   on a plan and has no features. To look for that plan takes a tenth of what a customer costs.
/// * `TERMS`: the terms that apply: the plan that the customer is on, and the features that it has.
/// * `PLAN_ID`: the plan that the customer is on. `PLAN_TERMS`: a plan `p` with the prices of the customer's features.
///   `FEATURE_TERMS`: a feature `f`.
/// * `FIRST_PLAN`: the first plan of the list that applies to the account `a`, without its prices. `UNASSIGNED_PLAN`: the plan of
///   its customers that were never put on one; `UNASSIGNED_PLAN_ID`: its id.
/// * `REPORTED`: `select` and the columns of the billing report of `customers c`, for the acting account $3; $6 to $11 ask for
///   each, $12 for what its plan follows from, $13 for what it is charged for.
/// * `RELIED`: holds what a write relies on, the domain's `Relied` in $12. The statement writes if `held` of `relied`.
macro_rules! billing_piece {
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] IS_BILLED $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "(c.account_id <> $3 or c.rate_plan_id is not null or c.billing ? 'features')"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] BILLED $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            r#"c.rate_plan_id, c.billing as "billing!: row::Billing", case when "# IS_BILLED " then " TERMS r#" end as "terms: row::Terms", "#
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] BILLED_IN_VIEW $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            r#"c.rate_plan_id, case when $5::text[] = '{}' then c.billing else '{}' end as "billing!: row::Billing",
               case when $5::text[] = '{}' and "# IS_BILLED " then " TERMS r#" end as "terms: row::Terms", "#
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] BILLED_OF_BATCH $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            r#"c.rate_plan_id, '{}'::jsonb as "billing!: row::Billing", null::jsonb as "terms: row::Terms", "#
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] REPORTED $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "select c.id, case when $6 or $12 and c.rate_plan_id is null then c.account_id end as account_id,
                    case when $7 then c.name end as name,
                    case when not $8 then null when c.account_id = $3 then c.owner_custom_ids else (
                        select l.custom_ids from customer_links l
                        where l.tenant_id = c.tenant_id and l.customer_id = c.id and l.account_id = $3
                    ) end as custom_ids, case when $9 then c.status end as status,
                    case when $9 then c.archived_at end as archived_at,
                    case when $10 then c.profile ->> 'billing_email' end as billing_email, case when $11 then c.profile ->> 'currency' end as currency,
                    case when $12 then c.rate_plan_id end as rate_plan_id, case when $13 then c.billing end as billing"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] PLAN_ID $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "coalesce(c.rate_plan_id, (
                select a.first_rate_plan_id from accounts a
                where a.tenant_id = c.tenant_id and a.id = any(c.ancestors) and a.first_rate_plan_id is not null
                order by cardinality(a.ancestors) desc
                limit 1
            ))"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] PLAN_TERMS $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "jsonb_build_object(
                'id', p.id, 'account_id', p.account_id, 'currency', p.currency, 'archived', p.archived_at is not null,
                'prices', case when c.billing ? 'features' then (
                    select coalesce(jsonb_object_agg(e.key, e.value), '{}')
                    from jsonb_each(p.prices) e where c.billing -> 'features' ? e.key
                ) else '{}' end
            )"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] FEATURE_TERMS $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "coalesce(jsonb_object_agg(f.code, jsonb_build_object(
                'name', f.name, 'chargeable', f.chargeable, 'service_classes', to_jsonb(f.service_classes),
                'retired', f.retired, 'revision', f.revision
            )), '{}')"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] TERMS $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "jsonb_build_object(
                'plan', (
                    select " PLAN_TERMS " from rate_plans p where p.tenant_id = c.tenant_id and p.id = " PLAN_ID "
                ),
                'features', case when c.billing ? 'features' then (
                    select " FEATURE_TERMS " from features f
                    where f.tenant_id = c.tenant_id
                      and f.code = any(array(select jsonb_object_keys(c.billing -> 'features')))
                ) else '{}' end
            )"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] FIRST_PLAN $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "(
                select jsonb_build_object('id', p.id, 'account_id', p.account_id, 'currency', p.currency)
                from unnest(a.ancestors) with ordinality as u (id, nth)
                cross join lateral (
                    select p.id, p.account_id, p.currency from rate_plans p
                    where p.tenant_id = a.tenant_id and p.account_id = u.id and p.archived_at is null
                    order by p.position, p.id
                    limit 1
                ) p
                order by u.nth
                limit 1
            )"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] UNASSIGNED_PLAN $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "(
                select jsonb_build_object(
                    'id', p.id, 'account_id', p.account_id, 'currency', p.currency, 'archived', p.archived_at is not null
                )
                from rate_plans p
                where p.tenant_id = a.tenant_id and p.id = " UNASSIGNED_PLAN_ID "
            )"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] UNASSIGNED_PLAN_ID $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "(
                select up.first_rate_plan_id from accounts up
                where up.tenant_id = a.tenant_id and up.id = any(a.ancestors) and up.first_rate_plan_id is not null
                order by cardinality(up.ancestors) desc
                limit 1
            )"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] RELIED $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "relied as materialized (
                -- A call that takes a price away, or changes what a feature is, locks the row `for update` first: one of the
                -- two waits for the other.
                select (
                    select count(*) from (
                        select from rate_plans p
                        where p.tenant_id = $1 and p.id = ($12::jsonb ->> 'plan')::uuid
                          and p.prices ?& array(select jsonb_array_elements_text($12::jsonb -> 'priced'))
                        for key share
                    ) as plan
                ) + (
                    select count(*) from (
                        select from features f
                        join jsonb_to_recordset($12::jsonb -> 'features') as r (code text, revision bigint)
                          on r.code = f.code and r.revision = f.revision
                        where f.tenant_id = $1
                        for key share of f
                    ) as feature
                ) = ($12::jsonb ->> 'count')::bigint as held
            )"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] $piece:ident $($rest:tt)*) => {
        $crate::store::sql_search::search_piece!([$($back)*] @ $call [$($text)*] $piece $($rest)*)
    };
}

pub(in crate::store) use billing_piece;
