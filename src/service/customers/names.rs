//! Names to suggest where one is taken.

use crate::domain::values::name::Name;

/// Names similar to one that is taken: the name with the city or a number, cut where that would be too long.
pub(super) fn similar_names(name: &Name, city: Option<&str>) -> Vec<Name> {
    city.map(|city| format!(" ({city})"))
        .into_iter()
        .chain((2..6).map(|number| format!(" {number}")))
        .filter_map(|suffix| {
            let left = Name::MAX_CHARS.saturating_sub(suffix.chars().count());
            let start: String = name.as_str().chars().take(left).collect();
            Name::parse(&format!("{}{suffix}", start.trim_end())).ok()
        })
        .collect()
}
