//! What people see of a report on standard error: how far it is, if it is a terminal, and when its rows are of another moment.

use std::{
    io::{self, Write as _},
    time::{Duration, Instant},
};

use super::output::print_message;

/// How often the line of progress is written.
const SHOWN: Duration = Duration::from_millis(200);
/// Signs of a bar.
const BAR: usize = 30;

/// What has been shown, and what is known.
pub(super) struct Shown {
    is_terminal: bool,
    began: Instant,
    written: Instant,
    rows: usize,
    /// How many rows there will be, if that is known.
    total: Option<usize>,
    moment: String,
}

impl Shown {
    pub(super) fn new(is_terminal: bool, total: Option<usize>) -> Self {
        let now = Instant::now();
        Self { is_terminal, began: now, written: now, rows: 0, total, moment: String::new() }
    }

    pub(super) fn moment(&mut self, at: &str) {
        if self.moment != at {
            let first = self.moment.is_empty();
            at.clone_into(&mut self.moment);
            self.say(&format!("{} as of {at}", if first { "the report is" } else { "the rows that follow are" }));
        }
    }

    pub(super) fn count(&mut self, rows: usize) {
        self.rows += rows;
        if self.is_terminal && self.written.elapsed() >= SHOWN {
            self.line();
        }
    }

    /// Writes the line of progress over the last one.
    fn line(&mut self) {
        self.written = Instant::now();
        // A terminal that is gone is no reason to stop.
        _ = write!(io::stderr(), "\r\x1b[K{}", progress(self.rows, self.total, self.began.elapsed()));
    }

    pub(super) fn say(&mut self, text: &str) {
        if self.is_terminal {
            _ = write!(io::stderr(), "\r\x1b[K");
        }
        print_message(text);
    }

    pub(super) fn end(&mut self) {
        if self.is_terminal {
            self.line();
            _ = writeln!(io::stderr());
        }
    }
}

/// A bar, if the total is known and right; a counter otherwise.
fn progress(rows: usize, total: Option<usize>, elapsed: Duration) -> String {
    let rate = rows as u128 * 1000 / elapsed.as_millis().max(1);
    match total.filter(|total| rows <= *total) {
        Some(total) => {
            let full = rows * BAR / total.max(1);
            let bar = format!("{}{}", "#".repeat(full), ".".repeat(BAR - full));
            format!("[{bar}] {rows} of {total} customers, {rate} a second")
        }
        None => format!("{rows} customers, {rate} a second"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_total_is_a_bar_and_an_unknown_or_wrong_one_a_counter() {
        let second = Duration::from_secs(1);
        let cases = [
            (0, Some(0), "[..............................] 0 of 0 customers, 0 a second"),
            (0, Some(900), "[..............................] 0 of 900 customers, 0 a second"),
            (450, Some(900), "[###############...............] 450 of 900 customers, 450 a second"),
            (900, Some(900), "[##############################] 900 of 900 customers, 900 a second"),
            (901, Some(900), "901 customers, 901 a second"),
            (5_000, None, "5000 customers, 5000 a second"),
        ];
        for (rows, total, expected) in cases {
            assert_eq!(progress(rows, total, second), expected);
        }
        assert_eq!(progress(7, None, Duration::ZERO), "7 customers, 7000 a second");
    }
}
