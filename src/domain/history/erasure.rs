//! What an erasure leaves of events.

use strum::VariantArray as _;

use crate::domain::fields::{
    field::Field,
    read_only::ReadOnlyField::{self, AccountId, ArchivedAt, MergedInto, Origin, Status},
};

/// Fields that no update writes, and that hold no personal data.
const IMPERSONAL: [ReadOnlyField; 5] = [AccountId, Origin, Status, ArchivedAt, MergedInto];

/// The paths of changes that keep their values: fields without personal data. Every other path keeps its name alone, and a path
/// of a label not even that, because clients choose the keys.
#[must_use]
pub fn kept_paths() -> Vec<String> {
    let fields = Field::VARIANTS.iter().map(|field| field.spec()).filter(|spec| !spec.personal);
    let read_only = IMPERSONAL.iter().map(|field| field.spec().name);
    fields.map(|spec| spec.name).chain(read_only).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_personal_fields_do_not_stay() {
        let kept = kept_paths();
        assert!(kept.iter().any(|path| path == "status") && kept.iter().any(|path| path == "type"), "{kept:?}");
        for field in Field::VARIANTS.iter().map(|field| field.spec()).filter(|spec| spec.personal) {
            assert!(!kept.iter().any(|path| path == field.name), "{}", field.name);
        }
    }
}
