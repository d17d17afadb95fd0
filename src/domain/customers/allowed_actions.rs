//! `allowed_actions`: the RPCs that would change a customer if the caller called them now. The commands use the same
//! functions.

use crate::domain::{
    access::{caller::Caller, relation::Relation},
    billing::payment_method::PaymentMethod,
    customers::{command::DecisionInputs, customer::Customer, hold::Hold},
    requests::contract,
    values::{enums::Reach, timestamp::Timestamp},
};

/// Changes the acting account's own link: every account that sees the customer may call it. So does the next one.
const UPDATE_CUSTOM_ID: &str = "UpdateCustomId";
const MODIFY_TAGS: &str = "ModifyCustomerTags";

impl Customer {
    /// The names of the RPCs that would change this customer if the caller called them now: none for a customer that has a
    /// value of a newer release, and none for a caller that acts in a suspended account.
    #[must_use]
    pub fn allowed_actions(&self, caller: &Caller, on: DecisionInputs<'_>, at: Timestamp) -> Vec<&'static str> {
        if self.must_be_known().is_err() || caller.is_suspended() {
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
        ];
        actions
            .into_iter()
            // An account below the owner of a FLEET customer changes its own link, and nothing else.
            .filter(|(name, possible)| {
                *possible && (whole || [MODIFY_TAGS, UPDATE_CUSTOM_ID].contains(name)) && has_role(caller, name)
            })
            .map(|(name, _)| name)
            .collect()
    }
}

/// Whether the caller has the least role that the contract names for this RPC.
fn has_role(caller: &Caller, name: &str) -> bool {
    contract::RPCS
        .iter()
        .find(|rpc| rpc.path.rsplit('/').next() == Some(name))
        .is_some_and(|rpc| matches!(rpc.access, contract::Access::Least(least) if caller.role() >= least))
}
