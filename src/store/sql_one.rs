//! The pieces of statements that read one customer.
//!
//! What few customers have beside their row comes from functions of the database (`migrations/0118`). PostgreSQL opens the tables and indexes
//! of a sub-select each time it runs the statement, needed or not; of a function it opens nothing until it calls it. For a statement of
//! many customers sub-selects are better: they are set up once, and cost each row less than a call.

/// Puts a piece into the text, and goes on with the macro `back`. A name that is not here is one of
/// [`access_piece!`](super::sql_access::access_piece).
///
/// * `ONE_TO_READ`: the columns of `RECORD` and `OTHER_OWNERS_POLICIES`, of one customer `c`. $3 is the acting account.
/// * `ONE_TO_CHANGE`: the same with all that a command decides by, as it is now: the terms and the policies are not what the caller knows.
/// * `ASKED`: what a command asks about: the fields of the references $9 that name nothing of the owner's; the features $10, their prices
///   in the customer's plan, and the plan $11.
macro_rules! one_piece {
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] ONE_TO_READ $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            HEAD_OF_ONE "case when " IS_BILLED " then " TERMS_OF_ONE r#" end as "terms: row::Terms", "# LINK_OF_ONE r#"
            , case when c.account_id <> $3 then account_policies(c.tenant_id, c.account_id) end as "policies: row::Policies""#
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] ONE_TO_CHANGE $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            HEAD_OF_ONE TERMS_OF_ONE r#" as "terms: row::Terms", "# LINK_OF_ONE OWNERS_POLICIES
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] HEAD_OF_ONE $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            HEAD r#"
            case when c.sales_person_id is not null and is_member_gone(c.tenant_id, c.sales_person_id)
                then c.sales_person_id end as gone_sales_person_id,
            c.profile as "profile!: row::Profile", c.holds as "holds!: row::Holds", c.rate_plan_id, c.billing as "billing!: row::Billing",
            "#
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] TERMS_OF_ONE $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "customer_terms(c.tenant_id, c.ancestors, c.rate_plan_id, c.billing)"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] LINK_OF_ONE $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            r#"
            c.owner_custom_ids as "owner_ids!: row::CustomIds",
            case when c.account_id = $3 and c.owner_tags <> '{}' then tags_by_name(c.tenant_id, c.owner_tags)
                end as "owner_tags: row::Tags",
            case when c.account_id <> $3 then customer_link(c.tenant_id, c.id, $3) end as "link: row::Link"
            "#
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] ASKED $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            r#", case when $9::jsonb <> '{}' then foreign_references(c.tenant_id, c.account_id, $9) end as "foreign?"
            , case when $10::text[] <> '{}' or $11::uuid is not null
                then asked_terms(c.tenant_id, c.ancestors, c.rate_plan_id, c.billing, $10, $11) end as "asked: row::Asked""#
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] $piece:ident $($rest:tt)*) => {
        $crate::store::sql_access::access_piece!([$($back)*] @ $call [$($text)*] $piece $($rest)*)
    };
}

pub(in crate::store) use one_piece;
