//! Policies: what an account asks of its customers and of those who keep them. They make one system of every portal.

use serde::{Deserialize, Serialize};

use crate::domain::{
    fields::requirements::Requirements,
    values::{enums::Role, text::Text},
};

/// What an account asks of its customers and of those who keep them: the column `accounts.policies`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policies {
    /// What must be filled in when a customer is created, beside the name.
    pub required_to_create: Requirements,
    /// What must be filled in before a customer becomes ACTIVE.
    pub required_to_approve: Requirements,
    /// Whether a new customer that has it all is ACTIVE at once.
    pub auto_approve: bool,
    /// The least role that may create a customer.
    pub create_role: Role,
    /// The least role that may change a custom ID that is set.
    pub custom_id_role: Role,
    /// What a customer is billed in that names no currency.
    pub default_currency: Option<Text<100>>,
    /// The country that forms preselect.
    pub default_region: Option<Text<100>>,
}

impl Default for Policies {
    /// What a new provider has that asks for nothing else.
    fn default() -> Self {
        Self {
            required_to_create: Requirements::default(),
            required_to_approve: Requirements::default(),
            auto_approve: true,
            create_role: Role::Member,
            custom_id_role: Role::ServiceManager,
            default_currency: None,
            default_region: None,
        }
    }
}

/// Policies as a request names them: what it leaves out comes from the parent, or from the defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyChoices {
    /// See [`Policies::required_to_create`].
    pub required_to_create: Option<Requirements>,
    /// See [`Policies::required_to_approve`].
    pub required_to_approve: Option<Requirements>,
    /// See [`Policies::auto_approve`].
    pub auto_approve: Option<bool>,
    /// See [`Policies::create_role`].
    pub create_role: Option<Role>,
    /// See [`Policies::custom_id_role`].
    pub custom_id_role: Option<Role>,
    /// See [`Policies::default_currency`]; `Some(None)` means none.
    pub default_currency: Option<Option<Text<100>>>,
    /// See [`Policies::default_region`]; `Some(None)` means none.
    pub default_region: Option<Option<Text<100>>>,
}

impl PolicyChoices {
    /// The choices, and for what they leave out the given policies.
    #[must_use]
    pub fn over(self, base: &Policies) -> Policies {
        Policies {
            required_to_create: self.required_to_create.unwrap_or_else(|| base.required_to_create.clone()),
            required_to_approve: self.required_to_approve.unwrap_or_else(|| base.required_to_approve.clone()),
            auto_approve: self.auto_approve.unwrap_or(base.auto_approve),
            create_role: self.create_role.unwrap_or(base.create_role),
            custom_id_role: self.custom_id_role.unwrap_or(base.custom_id_role),
            default_currency: self.default_currency.unwrap_or_else(|| base.default_currency.clone()),
            default_region: self.default_region.unwrap_or_else(|| base.default_region.clone()),
        }
    }
}
