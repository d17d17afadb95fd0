//! The reason of a customer's status.

use super::text::Text;

/// Why a customer was rejected or suspended: 1 to 500 printable characters.
pub type StatusReason = Text<500>;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::samples;

    proptest! {
        #[test]
        fn any_input_is_refused_or_kept_in_its_final_form(raw in samples::raw()) {
            if let Ok(reason) = StatusReason::parse(&raw) {
                samples::assert_kept(reason.as_str(), StatusReason::MAX_CHARS);
                prop_assert_eq!(StatusReason::parse(reason.as_str()), Ok(reason.clone()));
            }
        }
    }
}
