//! Pieces of statements that read customers in a view: see [`sql!`](super::sql::sql).

/// The pieces of views. Any other piece is about billing.
///
/// * `RECORD_IN_VIEW`: the columns of `RECORD` in a view that leaves out the fields $5 of the profile, and the holds if there are any such
///   fields. `SIZE_IN_VIEW`: how many bytes of it are read.
/// * `SIZED_IN_VIEW`: a select of that size, and of the `profile` in view if it is small enough to be kept until the page is cut, up
///   to its `from`. `RECORD_OF_SIZED`: as `RECORD_IN_VIEW`, where `f` has that profile.
macro_rules! view_piece {
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] RECORD_IN_VIEW $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            HEAD r#"
                   c.profile - $5::text[] as "profile!: row::Profile",
                   case when $5::text[] = '{}' then c.holds else '[]' end as "holds!: row::Holds",
            "# BILLED_IN_VIEW LINK
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] RECORD_OF_SIZED $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            HEAD r#"
                   coalesce(f.profile, c.profile - $5::text[]) as "profile!: row::Profile",
                   case when $5::text[] = '{}' then c.holds else '[]' end as "holds!: row::Holds",
            "# BILLED_IN_VIEW LINK
            $($rest)*
        )
    };
    // To read a profile uncompressed and to take fields out of it is most of what a row of a page costs, so it is done once.
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] SIZED_IN_VIEW $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "select 1000 + pg_column_size(d.profile) + pg_column_size(c.owner_custom_ids - '{}'::text[])
                    + case when $5::text[] = '{}' then pg_column_size(c.holds - '{}'::text[]) + pg_column_size(c.billing - '{}'::text[])
                           else 0 end
                    + 200 * cardinality(c.owner_tags) as size,
                    case when pg_column_size(d.profile) <= 8192 then d.profile end as profile
             from customers c cross join lateral (select c.profile - $5::text[] as profile offset 0) d"
            $($rest)*
        )
    };
    // Taking nothing out of a document reads it uncompressed: its own size is what it has on disk.
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] SIZE_IN_VIEW $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "1000 + pg_column_size(c.profile - $5::text[]) + pg_column_size(c.owner_custom_ids - '{}'::text[])
             + case when $5::text[] = '{}' then pg_column_size(c.holds - '{}'::text[]) + pg_column_size(c.billing - '{}'::text[])
                    else 0 end
             + 200 * cardinality(c.owner_tags)"
            $($rest)*
        )
    };
    // Of billing.
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] $piece:ident $($rest:tt)*) => {
        $crate::store::sql_billing::billing_piece!([$($back)*] @ $call [$($text)*] $piece $($rest)*)
    };
}

pub(in crate::store) use view_piece;
