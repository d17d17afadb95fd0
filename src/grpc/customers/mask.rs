//! Reads the mask of an update.

use crate::domain::{
    fields::{
        field::{Field, Parts},
        path::FieldPath,
        read_only::ReadOnlyField,
    },
    values::violation::{Rule, Violations},
};

/// Paths of one mask.
const MAX_PATHS: usize = 100;

/// Reads a mask: the paths that can be read. None: it names none or too many.
pub(in crate::grpc) fn paths(
    violations: &mut Violations,
    mask: Option<prost_types::FieldMask>,
) -> Option<Vec<FieldPath>> {
    let raw = mask.map(|mask| mask.paths).unwrap_or_default();
    if raw.is_empty() || raw.len() > MAX_PATHS {
        let rule = Rule::with(format!("must name 1 to {MAX_PATHS} paths, such as name or primary_address.city"));
        violations.push("update_mask", rule);
        return None;
    }
    let mut paths: Vec<FieldPath> = Vec::with_capacity(raw.len());
    for (index, path) in raw.iter().enumerate() {
        let field = format!("update_mask.paths[{index}]");
        match FieldPath::parse_writable(path) {
            None => violations.push(field, unwritable(path)),
            Some(path) if paths.contains(&path) => {}
            Some(path) if paths.iter().any(|other| other.overlaps(&path)) => {
                violations.push(field, Rule::new("must not name a field both as a whole and in part"));
            }
            Some(path) => paths.push(path),
        }
    }
    Some(paths)
}

/// The rule that such a path of a mask breaks.
fn unwritable(path: &str) -> Rule {
    let head = path.split(['.', '[']).next().unwrap_or_default();
    match (ReadOnlyField::parse(head), Field::parse(head)) {
        (Some(field), _) => {
            let spec = field.spec();
            Rule::with(format!("must not name {}: {}", spec.name, spec.reason))
        }
        (None, Some(field)) if field.spec().parts == Parts::None => {
            Rule::new("must name this field as a whole, without a part")
        }
        (None, None) if head == "primary_contact" => {
            Rule::new("must name contacts as a whole: the primary contact is the one of them with primary true")
        }
        _ => Rule::new("must be a field of Customer that can be written, such as name or primary_address.city"),
    }
}
