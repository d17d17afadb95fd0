//! `allowed_actions`: the RPCs that would change a customer if the caller called them now. The commands use the same
//! functions.

use std::{collections::HashMap, sync::LazyLock};

use crate::domain::{
    access::{caller::Caller, relation::Relation},
    billing::payment_method::PaymentMethod,
    customers::{command::DecisionInputs, customer::Customer, hold::Hold, merge::UNDONE_DAYS, status::Status},
    requests::contract,
    values::{
        enums::{Reach, Role},
        timestamp::Timestamp,
    },
};

/// Changes the acting account's own link: every account that sees the customer may call it. So does the next one.
const UPDATE_CUSTOM_ID: &str = "UpdateCustomId";
const MODIFY_TAGS: &str = "ModifyCustomerTags";
const UNMERGE: &str = "UnmergeCustomers";
const ERASE: &str = "EraseCustomer";
/// What a MERGED customer still allows.
const OF_MERGED: [&str; 2] = [UNMERGE, ERASE];
/// The services whose RPCs change a customer.
const SERVICES: [&str; 2] = ["/clientele.v1.CustomerService/", "/clientele.v1.BillingService/"];

impl Customer {
    /// The names of the RPCs that would change this customer if the caller called them now: none for a customer that has a
    /// value of a newer release, and none for a caller that acts in a suspended account.
    #[must_use]
    pub fn allowed_actions(&self, caller: &Caller, on: DecisionInputs<'_>, at: Timestamp) -> Vec<&'static str> {
        let is_merged = matches!(self.status, Status::Merged { .. });
        if self.must_be_known().is_err() || caller.is_suspended() || self.status == Status::Erased {
            return Vec::new();
        }
        let whole = self.relation(caller.scope()) == Relation::OwnerOrAbove;
        let has_custom_id_role =
            caller.account().policies.custom_id_role.role().is_ok_and(|least| caller.role() >= least);
        let can_move = on.acting.must_know_name_rule().is_ok();
        let actions = [
            ("UpdateCustomer", true),
            ("AddPaymentMethod", self.payment.count < PaymentMethod::MAX),
            ("SetDefaultPaymentMethod", self.payment.count > usize::from(self.payment.default.is_some())),
            ("RemovePaymentMethod", self.payment.count > 0),
            (MODIFY_TAGS, true),
            (UPDATE_CUSTOM_ID, self.fields.reach == Reach::Fleet || has_custom_id_role),
            ("ApproveCustomer", self.may_approve(on) == Ok(true)),
            ("RejectCustomer", self.may_reject() == Ok(true)),
            ("SuspendCustomer", self.may_suspend() == Ok(true)),
            ("ResumeCustomer", self.may_resume() == Ok(true)),
            ("PlaceHold", self.holds.len() < Hold::MAX),
            ("ReleaseHold", !self.holds.is_empty()),
            ("ArchiveCustomers", self.archived_at.is_none()),
            ("UnarchiveCustomers", self.archived_at.is_some()),
            ("MigrateCustomerToReseller", can_move && self.may_migrate() == Ok(true)),
            // The call itself checks whether the new account is in use and the former owner visible.
            ("RevertCustomerMigration", can_move && self.may_revert(at) == Ok(true)),
            ("TransferCustomers", can_move && self.holds.is_empty()),
            ("MergeCustomers", self.may_merge()),
            // The call itself checks whether something is in the way.
            (UNMERGE, is_merged && at - self.updated.at <= chrono::TimeDelta::days(UNDONE_DAYS)),
            (ERASE, self.may_erase() == Ok(true)),
            ("ActivateFeature", caller.has_features() && self.may_activate_features().is_ok()),
            ("DeactivateFeature", !self.billing.features.is_empty()),
            (
                "SetCreditLimit",
                on.terms.plan.is_some() && (self.billing.credit_limit.is_some() || self.may_raise_credit().is_ok()),
            ),
            ("AssignRatePlan", on.terms.plan.is_some() && self.may_change_plan().is_ok()),
        ];
        actions
            .into_iter()
            .filter(|(name, _)| !is_merged || OF_MERGED.contains(name))
            // An account below the owner of a FLEET customer changes its own link, and nothing else.
            .filter(|(name, possible)| {
                *possible && (whole || [MODIFY_TAGS, UPDATE_CUSTOM_ID].contains(name)) && has_role(caller, name)
            })
            .map(|(name, _)| name)
            .collect()
    }
}

/// The least role that the contract names for each RPC that changes a customer.
static LEAST_ROLES: LazyLock<HashMap<&'static str, Role>> = LazyLock::new(|| {
    let of_services = contract::RPCS.iter().filter_map(|rpc| {
        let name = SERVICES.iter().find_map(|service| rpc.path.strip_prefix(service))?;
        match rpc.access {
            contract::Access::Least(least) => Some((name, least)),
            contract::Access::Authenticated | contract::Access::Platform => None,
        }
    });
    of_services.collect()
});

fn has_role(caller: &Caller, name: &str) -> bool {
    LEAST_ROLES.get(name).is_some_and(|least| caller.role() >= *least)
}
