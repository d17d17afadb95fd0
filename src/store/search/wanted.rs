//! What is asked of a search.

use super::place::Place;
use crate::domain::{fields::field::View, search::Search};

/// What of a search's result is read.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The search.
    pub search: &'a Search,
    /// The view in which the customers are shown.
    pub view: View,
    /// The position behind which it begins.
    pub after: Option<&'a Place>,
    /// The most customers.
    pub limit: i64,
    /// Whether all matches are counted.
    pub count: bool,
}
