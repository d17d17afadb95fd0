//! Converts tenants, accounts and branches to their messages. Under `validate_only`, which stores nothing, their ids
//! are empty.

use crate::{
    domain::{
        accounts::{
            account::{Account, AccountCounts},
            branch::Branch,
            policies::LeastRole,
        },
        fields::requirements::Requirements,
        requests::answer::Tenant,
        values::enums::NameUniqueness,
    },
    grpc::{
        accounts::reference::industries_of,
        convert::{role_out, time_out},
        pb,
    },
};

fn name_uniqueness_out(rule: NameUniqueness) -> i32 {
    let rule = match rule {
        NameUniqueness::Unknown => pb::NameUniqueness::Unspecified,
        NameUniqueness::None => pb::NameUniqueness::None,
        NameUniqueness::Account => pb::NameUniqueness::Account,
        NameUniqueness::Tenant => pb::NameUniqueness::Tenant,
    };
    rule.into()
}

/// Converts a tenant to its message.
pub(super) fn tenant_out(tenant: &Tenant, stored: bool) -> pb::Tenant {
    pb::Tenant {
        id: if stored { tenant.id.to_string() } else { String::new() },
        name: tenant.name.clone(),
        name_uniqueness: name_uniqueness_out(tenant.name_uniqueness),
        create_time: Some(time_out(tenant.created_at)),
        state: match tenant.suspended_at {
            None => pb::TenantState::Active,
            Some(_) => pb::TenantState::Suspended,
        }
        .into(),
        suspend_time: tenant.suspended_at.map(time_out),
    }
}

/// Converts an account to its message.
pub(in crate::grpc) fn account_out(account: &Account, stored: bool) -> pb::Account {
    let ids = account.path.ids();
    let policies = &account.policies;
    let paths = |required: &Requirements| pb::FieldPaths { paths: required.paths() };
    let role = |least: &LeastRole| least.role().map_or(pb::Role::Unspecified, role_out).into();
    pb::Account {
        id: if stored { account.id.to_string() } else { String::new() },
        parent_id: ids.get(1).map(ToString::to_string).unwrap_or_default(),
        ancestor_ids: if stored { ids.iter().map(ToString::to_string).collect() } else { Vec::new() },
        name: account.name.as_str().to_owned(),
        policies: Some(pb::AccountPolicies {
            required_to_create: Some(paths(&policies.required_to_create)),
            required_to_approve: Some(paths(&policies.required_to_approve)),
            auto_approve: Some(policies.auto_approve),
            create_role: role(&policies.create_role),
            custom_id_role: role(&policies.custom_id_role),
            default_currency: policies.default_currency.as_ref().map(|text| text.as_str().to_owned()),
            default_region: policies.default_region.as_ref().map(|text| text.as_str().to_owned()),
        }),
        name_uniqueness: name_uniqueness_out(account.name_uniqueness),
        create_time: Some(time_out(account.created_at)),
        state: match (account.suspended_at, account.suspended_above) {
            (Some(_), _) => pb::AccountState::Suspended,
            (None, true) => pb::AccountState::SuspendedAbove,
            (None, false) => pb::AccountState::Active,
        }
        .into(),
        suspend_time: account.suspended_at.map(time_out),
        counts: None,
        industries: if account.is_provider() { industries_of(account) } else { Vec::new() },
    }
}

/// Converts what an account has to its message.
pub(super) fn counts_out(counts: AccountCounts) -> pb::AccountCounts {
    let AccountCounts { children, customers } = counts;
    pb::AccountCounts {
        child_count: children.min(AccountCounts::COUNTED),
        more_children: children > AccountCounts::COUNTED,
        customer_count: customers.min(AccountCounts::COUNTED),
        more_customers: customers > AccountCounts::COUNTED,
    }
}

/// Converts a branch to its message.
pub(super) fn branch_out(branch: &Branch, stored: bool) -> pb::Branch {
    pb::Branch {
        id: if stored { branch.id.to_string() } else { String::new() },
        name: branch.name.as_str().to_owned(),
        dms_integrated: branch.dms_integrated,
        create_time: Some(time_out(branch.created_at)),
    }
}
