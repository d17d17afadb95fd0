//! What became of the keys, and what the tables have in common.

use std::fmt;

use uuid::Uuid;

/// Rows that one statement reads. Their keys are at most 2 KiB each.
pub(super) const AT_ONCE: i64 = 1_000;
/// Conflicts that are listed; of more only the number is known.
const MAX_LISTED: usize = 1_000;

/// What became of the keys of older rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rekeyed {
    /// How many rows got a new key.
    pub changed: u64,
    /// How many rows keep their old key, because another row has the new one.
    pub conflicts: usize,
    /// The first of them.
    pub listed: Vec<Conflict>,
}

impl Rekeyed {
    /// Counts what was written of one row. Returns the failure if another row has its key.
    pub(super) fn count(&mut self, written: sqlx::Result<u64>) -> sqlx::Result<Option<sqlx::Error>> {
        match written {
            Ok(changed) => {
                self.changed += changed;
                Ok(None)
            }
            Err(failure) if is_taken(&failure) => Ok(Some(failure)),
            Err(failure) => Err(failure),
        }
    }

    pub(super) fn report(&mut self, conflict: Conflict) {
        self.conflicts += 1;
        if self.listed.len() < MAX_LISTED {
            self.listed.push(conflict);
        }
    }
}

/// Two rows of one scope that are the same by the new rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conflict {
    /// Their tenant.
    pub tenant: Uuid,
    /// Their table.
    pub table: &'static str,
    /// The row that keeps its old key; of a custom ID its customer.
    pub row: Uuid,
    /// The row that has the new key; of a custom ID its customer.
    pub holder: Uuid,
}

impl fmt::Display for Conflict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tenant, table, row, holder } = self;
        write!(formatter, "tenant {tenant}, {table}: {row} keeps its old key, because {holder} has the new one")
    }
}

/// Whether a batch failed because of a row of it: another row has its key, or the service locked it in another order. Then the
/// batch is written row by row.
pub(super) fn is_of_one_row(failure: &sqlx::Error) -> bool {
    is_taken(failure) || has_code(failure, "40P01")
}

/// Whether another row has the key.
fn is_taken(failure: &sqlx::Error) -> bool {
    has_code(failure, "23505")
}

fn has_code(failure: &sqlx::Error, code: &str) -> bool {
    failure.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|found| found == code)
}
