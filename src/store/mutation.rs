//! The statement of a mutation, which records what it did.

/// The statement of a mutation: `mutation!(recorded, "with …" RECORDED, arguments…)`, where `recorded` is a
/// [`Recorded`](super::write::Recorded).
///
/// The text begins with common table expressions of its own. One of them is `written`: a row for each record that the
/// statement wrote, all or none of those that the events and answers are about. A lost race leaves it empty, and then no
/// event and no answer is stored. `RECORDED` ends the statement: it stores events and answers and returns `written`, the
/// number of those rows.
///
/// Parameters: $1 tenant, $2 issuer, $3 subject, $4 actors, $5 acting account, $6 RPC, $7 trace id, $8 workload, $9 time,
/// $10 events, $11 answers. The statement's own arguments begin with $12.
macro_rules! mutation {
    ($recorded:expr, $($rest:tt)+) => {
        $crate::store::sql::sql!(@ [mutation $recorded] [] $($rest)+)
    };
}

pub(in crate::store) use mutation;
