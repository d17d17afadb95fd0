//! Parses the changes of an account.

use super::read::{name_uniqueness, policy_choices};
use crate::{
    domain::{
        accounts::account::AccountEdit,
        reference::industries::Industries,
        values::{
            name::AccountName,
            violation::{Rule, Violations},
        },
    },
    grpc::{convert::not_writable, pb},
};

/// What a mask can name of an account.
const PATHS: &str = "name, name_uniqueness, industries, policies.required_to_create, policies.required_to_approve, \
                     policies.auto_approve, policies.create_role, policies.custom_id_role, policies.default_currency or \
                     policies.default_region";

/// What a mask cannot name of an account, and why.
const FIXED: [(&str, &str); 8] = [
    ("id", "it never changes"),
    ("parent_id", "an account never gets another parent"),
    ("ancestor_ids", "an account never gets another parent"),
    ("policies", "name one of them, such as policies.auto_approve"),
    ("create_time", "the server sets it"),
    ("state", "SuspendAccount and ResumeAccount change it"),
    ("suspend_time", "SuspendAccount and ResumeAccount set it"),
    ("counts", "they are computed"),
];

/// The fields of an account that a mask names. What it does not name is not read.
pub(super) fn account_edit(
    violations: &mut Violations,
    mask: Option<prost_types::FieldMask>,
    account: pb::Account,
) -> Option<AccountEdit> {
    let paths = mask.map(|mask| mask.paths).unwrap_or_default();
    if paths.is_empty() {
        violations.push("update_mask", Rule::with(format!("must name a path: {PATHS}")));
    }
    let given = account.policies.unwrap_or_default();
    let mut named = pb::AccountPolicies::default();
    let mut edit = AccountEdit::default();
    for (index, path) in paths.iter().enumerate() {
        match path.as_str() {
            "name" => {
                if edit.name.is_none() {
                    edit.name = violations.check("account.name", AccountName::parse(&account.name));
                }
            }
            "name_uniqueness" if account.name_uniqueness == 0 => must_be_given(violations, "name_uniqueness"),
            "name_uniqueness" => {
                let rule = name_uniqueness(account.name_uniqueness);
                edit.name_uniqueness = violations.check("account.name_uniqueness", rule);
            }
            "industries" => {
                if edit.industries.is_none() {
                    edit.industries = industries(violations, &account.industries);
                }
            }
            "policies.required_to_create" => {
                named.required_to_create = Some(given.required_to_create.clone().unwrap_or_default());
            }
            "policies.required_to_approve" => {
                named.required_to_approve = Some(given.required_to_approve.clone().unwrap_or_default());
            }
            "policies.auto_approve" if given.auto_approve.is_none() => {
                must_be_given(violations, "policies.auto_approve");
            }
            "policies.auto_approve" => named.auto_approve = given.auto_approve,
            "policies.create_role" if given.create_role == 0 => must_be_given(violations, "policies.create_role"),
            "policies.create_role" => named.create_role = given.create_role,
            "policies.custom_id_role" if given.custom_id_role == 0 => {
                must_be_given(violations, "policies.custom_id_role");
            }
            "policies.custom_id_role" => named.custom_id_role = given.custom_id_role,
            "policies.default_currency" => {
                named.default_currency = Some(given.default_currency.clone().unwrap_or_default());
            }
            "policies.default_region" => named.default_region = Some(given.default_region.clone().unwrap_or_default()),
            _ => violations.push(format!("update_mask.paths[{index}]"), not_writable(path, &FIXED, PATHS)),
        }
    }
    edit.policies = policy_choices(violations, "account.policies", Some(named))?;
    Some(edit)
}

/// The industries of a tenant; the inner none: the default list.
fn industries(violations: &mut Violations, list: &[pb::Industry]) -> Option<Option<Industries>> {
    if list.is_empty() {
        return Some(None);
    }
    let entries: Vec<_> = list.iter().map(|entry| (entry.code.clone(), entry.name.clone())).collect();
    violations.nest("account", Industries::parse(&entries)).map(Some)
}

fn must_be_given(violations: &mut Violations, path: &str) {
    violations.push(format!("account.{path}"), Rule::new("must be given, as the mask names it; it cannot be cleared"));
}
