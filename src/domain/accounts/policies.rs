//! Policies: what an account asks of its customers and of the members who work with them.

use serde::{Deserialize, Serialize};

use crate::domain::{
    fields::requirements::Requirements,
    reference::currencies,
    refusal::Refusal,
    values::{enums::Role, text::Text, unknown_fields::UnknownFields},
};

/// What an account asks of its customers and of the members who work with them: the column `accounts.policies`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policies {
    /// What must be filled in when a customer is created, beside the name.
    #[serde(rename = "required_to_create")]
    pub required_to_create: Requirements,
    /// What must be filled in before a customer becomes ACTIVE.
    #[serde(rename = "required_to_approve")]
    pub required_to_approve: Requirements,
    /// Whether a new customer that meets `required_to_approve` is ACTIVE at once.
    #[serde(rename = "auto_approve")]
    pub auto_approve: bool,
    /// The least role that may create a customer.
    #[serde(rename = "create_role")]
    pub create_role: LeastRole,
    /// The least role that may change a custom ID that is set.
    #[serde(rename = "custom_id_role")]
    pub custom_id_role: LeastRole,
    /// The currency of a new customer that names none.
    #[serde(rename = "default_currency")]
    pub default_currency: Option<Text<100>>,
    /// The country that forms preselect.
    #[serde(rename = "default_region")]
    pub default_region: Option<Text<100>>,
    /// Policies of a newer release. A new account below gets them too.
    #[serde(flatten)]
    pub unknown: UnknownFields,
}

impl Default for Policies {
    /// The policies of a new provider that chooses none.
    fn default() -> Self {
        Self {
            required_to_create: Requirements::default(),
            required_to_approve: Requirements::default(),
            auto_approve: true,
            create_role: LeastRole::Known(Role::Member),
            custom_id_role: LeastRole::Known(Role::ServiceManager),
            default_currency: None,
            default_region: None,
            unknown: UnknownFields::default(),
        }
    }
}

impl Policies {
    /// Refuses to decide by required fields that this release does not know.
    ///
    /// # Errors
    /// `ValueOfNewerRelease`.
    pub fn must_be_known(&self) -> Result<(), Refusal> {
        if self.required_to_create.are_known() && self.required_to_approve.are_known() {
            return Ok(());
        }
        Err(Refusal::ValueOfNewerRelease("a required field in the account's policies"))
    }

    /// The currency of a new customer that names none, by its code. One that was stored by another name before there were codes,
    /// and that no table has, is taken as it is.
    #[must_use]
    pub fn currency(&self) -> Option<Text<100>> {
        let stored = self.default_currency.as_ref()?;
        Some(currencies::parse(stored.as_str()).map_or_else(|_| stored.clone(), |code| Text::stored(code.to_owned())))
    }
}

/// The least role that a policy asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum LeastRole {
    /// A role of this release.
    Known(Role),
    /// A role of a newer release, as it is stored.
    Newer(String),
}

impl LeastRole {
    /// The role.
    ///
    /// # Errors
    /// `RoleOfNewerRelease`: this release cannot know which roles include it, so it lets in none.
    pub fn role(&self) -> Result<Role, Refusal> {
        match self {
            Self::Known(role) => Ok(*role),
            Self::Newer(_) => Err(Refusal::RoleOfNewerRelease("a role in the account's policies")),
        }
    }
}

impl From<String> for LeastRole {
    fn from(stored: String) -> Self {
        Role::parse(&stored).map_or(Self::Newer(stored), Self::Known)
    }
}

impl From<LeastRole> for String {
    fn from(least: LeastRole) -> Self {
        match least {
            LeastRole::Known(role) => role.as_str().to_owned(),
            LeastRole::Newer(stored) => stored,
        }
    }
}

/// Policies as a request chooses them. Those that it leaves out come from the parent, or from the defaults.
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
    /// The chosen policies, and those of `base` for the rest.
    #[must_use]
    pub fn over(self, base: &Policies) -> Policies {
        let role = |chosen: Option<Role>, base: &LeastRole| chosen.map_or_else(|| base.clone(), LeastRole::Known);
        Policies {
            required_to_create: self.required_to_create.unwrap_or_else(|| base.required_to_create.clone()),
            required_to_approve: self.required_to_approve.unwrap_or_else(|| base.required_to_approve.clone()),
            auto_approve: self.auto_approve.unwrap_or(base.auto_approve),
            create_role: role(self.create_role, &base.create_role),
            custom_id_role: role(self.custom_id_role, &base.custom_id_role),
            default_currency: self.default_currency.unwrap_or_else(|| base.default_currency.clone()),
            default_region: self.default_region.unwrap_or_else(|| base.default_region.clone()),
            unknown: base.unknown.clone(),
        }
    }
}
