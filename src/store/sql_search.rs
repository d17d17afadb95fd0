//! The pieces of statements that keep what searches find.

/// Puts a piece into the text, and goes on with the macro `back`. A name that is not here is one of [`one_piece!`](super::sql_one::one_piece).
///
/// * `ID_LEXEMES_WHERE`: the lexemes of the custom IDs `i` of a condition that follows, for `customer_search.id_lexemes`. `NEWEST` ends
///   it: of the newest, no more than the domain's `MOST_ID_LEXEMES`.
macro_rules! search_piece {
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] ID_LEXEMES_WHERE $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            "array_to_tsvector(array(
                select x.lexeme from custom_ids i cross join unnest(tsvector_to_array(i.lexemes)) x (lexeme)
                where i.tenant_id = $1 and "
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] NEWEST $($rest:tt)*) => {
        $($back)*!(
            @ $call [$($text)*]
            " order by i.is_current desc, i.created_at desc limit 10000))"
            $($rest)*
        )
    };
    ([$($back:tt)*] @ $call:tt [$($text:tt)*] $piece:ident $($rest:tt)*) => {
        $crate::store::sql_one::one_piece!([$($back)*] @ $call [$($text)*] $piece $($rest)*)
    };
}

pub(in crate::store) use search_piece;
