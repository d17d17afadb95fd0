//! What a client may write of a customer.

use serde::{Deserialize, Serialize};

use crate::domain::{
    fields::profile::Profile,
    values::{
        enums::{CustomerType, Origin, Reach, ServiceClass},
        ids::{BranchId, MemberId},
        name::Name,
        text::Text,
    },
};

/// What a client may write of a customer. Serialized flat, by the contract's field names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "each is the field of that name in the contract's Customer")]
pub struct CustomerFields {
    #[serde(rename = "type")]
    pub customer_type: CustomerType,
    pub service_class: ServiceClass,
    pub reach: Reach,
    pub name: Name,
    pub origin: Origin,
    #[serde(rename = "branch_id", skip_serializing_if = "Option::is_none", default)]
    pub branch: Option<BranchId>,
    #[serde(rename = "sales_person_id", skip_serializing_if = "Option::is_none", default)]
    pub sales_person: Option<MemberId>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub order_reference: Option<Text<255>>,
    #[serde(flatten)]
    pub profile: Profile,
}
