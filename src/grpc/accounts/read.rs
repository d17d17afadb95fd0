//! Parses accounts, policies and branches.

use crate::{
    domain::{
        accounts::{
            branch::{BranchEdit, BranchName},
            policies::PolicyChoices,
        },
        fields::{path::FieldPath, requirements::Requirements},
        reference::{currencies, places},
        values::{
            enums::{NameUniqueness, Role},
            text::{Text, optional},
            violation::{Rule, Violations},
        },
    },
    grpc::{
        convert::{not_writable, role},
        pb,
    },
};

/// The policies that a request sets.
pub(super) fn policy_choices(
    violations: &mut Violations,
    at: &str,
    raw: Option<pb::AccountPolicies>,
) -> Option<PolicyChoices> {
    let Some(raw) = raw else { return Some(PolicyChoices::default()) };
    let pb::AccountPolicies {
        required_to_create,
        required_to_approve,
        auto_approve,
        create_role,
        custom_id_role,
        default_currency,
        default_region,
    } = raw;
    let field = |name: &str| format!("{at}.{name}");
    let required_to_create = requirements(violations, &field("required_to_create"), required_to_create);
    let required_to_approve = requirements(violations, &field("required_to_approve"), required_to_approve);
    let create_role = writing_role(violations, &field("create_role"), create_role);
    let custom_id_role = writing_role(violations, &field("custom_id_role"), custom_id_role);
    let mut code = |name: &str, raw: Option<String>, parse: fn(&str) -> Result<&'static str, Rule>| {
        violations.check(field(name), raw.map(|raw| optional(&raw, |raw| known(raw, parse))).transpose())
    };
    let default_currency = code("default_currency", default_currency, currencies::parse);
    let default_region = code("default_region", default_region, places::country);
    Some(PolicyChoices {
        required_to_create: required_to_create?,
        required_to_approve: required_to_approve?,
        auto_approve,
        create_role: create_role?,
        custom_id_role: custom_id_role?,
        default_currency: default_currency?,
        default_region: default_region?,
    })
}

/// The code of a currency or a country.
fn known(raw: &str, parse: fn(&str) -> Result<&'static str, Rule>) -> Result<Text<100>, Rule> {
    Text::<100>::parse(raw).and_then(|text| parse(text.as_str())).map(|code| Text::stored(code.to_owned()))
}

fn requirements(violations: &mut Violations, at: &str, raw: Option<pb::FieldPaths>) -> Option<Option<Requirements>> {
    let Some(pb::FieldPaths { paths }) = raw else { return Some(None) };
    if paths.len() > Requirements::MAX {
        let rule = Rule::with(format!("must be at most {} paths; these are {}", Requirements::MAX, paths.len()));
        violations.push(format!("{at}.paths"), rule);
        return None;
    }
    let parsed = paths.iter().enumerate().map(|(index, path)| {
        let known = FieldPath::parse_required(path).ok_or_else(|| {
            Rule::new(
                "must be a field of Customer, custom_ids.SYSTEM or primary_contact.FIELD, such as primary_address.city",
            )
        });
        violations.check(format!("{at}.paths[{index}]"), known)
    });
    // Collected before it stops at the first, so that all violations are reported.
    let parsed: Vec<Option<FieldPath>> = parsed.collect();
    parsed.into_iter().collect::<Option<_>>().map(|paths| Some(Requirements::new(paths)))
}

/// A role that may write; the inner option is none if the request leaves it unset.
fn writing_role(violations: &mut Violations, at: &str, raw: i32) -> Option<Option<Role>> {
    let named = role(violations, at, raw)?;
    if named == Some(Role::Viewer) {
        violations.push(at, Rule::new("must be ROLE_MEMBER or above, as a viewer can only read"));
        return None;
    }
    Some(named)
}

/// The rule on customer names that a request sets.
pub(super) fn name_uniqueness(raw: i32) -> Result<NameUniqueness, Rule> {
    match pb::NameUniqueness::try_from(raw) {
        Ok(pb::NameUniqueness::Unspecified | pb::NameUniqueness::None) => Ok(NameUniqueness::None),
        Ok(pb::NameUniqueness::Account) => Ok(NameUniqueness::Account),
        Ok(pb::NameUniqueness::Tenant) => Ok(NameUniqueness::Tenant),
        Err(_) => Err(Rule::new("must be NAME_UNIQUENESS_NONE, NAME_UNIQUENESS_ACCOUNT or NAME_UNIQUENESS_TENANT")),
    }
}

/// What a mask cannot name of a branch, and why.
const BRANCH_FIXED: [(&str, &str); 2] = [("id", "it never changes"), ("create_time", "the server sets it")];

/// The fields of a branch that a mask names.
pub(super) fn branch_edit(
    violations: &mut Violations,
    mask: Option<prost_types::FieldMask>,
    branch: &pb::Branch,
) -> Option<BranchEdit> {
    let paths = mask.map(|mask| mask.paths).unwrap_or_default();
    if paths.is_empty() {
        violations.push("update_mask", Rule::new("must name a path: name or dms_integrated"));
    }
    let mut edit = BranchEdit::default();
    for (index, path) in paths.iter().enumerate() {
        match path.as_str() {
            "name" if edit.name.is_none() => {
                edit.name = violations.check("branch.name", BranchName::parse(&branch.name));
            }
            "name" => {}
            "dms_integrated" => edit.dms_integrated = Some(branch.dms_integrated),
            _ => {
                let rule = not_writable(path, &BRANCH_FIXED, "name or dms_integrated");
                violations.push(format!("update_mask.paths[{index}]"), rule);
            }
        }
    }
    Some(edit)
}
