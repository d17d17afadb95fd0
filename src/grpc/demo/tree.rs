//! The demo's accounts: a tree of three levels. Each account below the distributor has another preset of policies, so that one
//! service covers five portals.

use super::record::Owner;
use crate::grpc::pb;

/// An account of the demo.
pub(super) struct Node {
    /// Its name; the distributor's is also the tenant's.
    pub(super) name: &'static str,
    /// The account above it; the distributor's own for the distributor.
    pub(super) parent: Owner,
    /// Its policies for customers.
    pub(super) policies: fn() -> pb::AccountPolicies,
    /// Its members. The first one creates its customers. An ADMIN is created with the account.
    pub(super) members: &'static [(&'static str, pb::Role)],
    /// Its branches, and whether each uses the dealer management system.
    pub(super) branches: &'static [(&'static str, bool)],
}

/// Returns the account of an owner.
pub(super) const fn node(owner: Owner) -> Node {
    let (parent, no_branches): (_, &[_]) = (Owner::Distributor, &[]);
    match owner {
        Owner::Distributor => Node {
            name: "Demo Distribution",
            parent,
            policies: pb::AccountPolicies::default,
            members: &[("admin", pb::Role::Admin), ("viewer", pb::Role::Viewer)],
            branches: no_branches,
        },
        Owner::Cloud => Node {
            name: "Noordzee Cloud",
            parent,
            policies: quick,
            members: &[("alice", pb::Role::Member)],
            branches: no_branches,
        },
        Owner::Telecom => Node {
            name: "Baltic Telecom",
            parent,
            policies: telecom,
            members: &[("bob", pb::Role::Admin)],
            branches: no_branches,
        },
        Owner::Dealer => Node {
            name: "Autohaus Rheingau",
            parent,
            policies: dealer,
            members: &[("carol", pb::Role::ServiceManager)],
            branches: &[("Wiesbaden", true), ("Rüdesheim", false)],
        },
        Owner::Market => Node {
            name: "Noordzee Marketplace",
            parent: Owner::Cloud,
            policies: marketplace,
            members: &[("dmitri", pb::Role::Member)],
            branches: no_branches,
        },
        Owner::Full => Node {
            name: "Aegean Business Services",
            parent,
            policies: full,
            members: &[("erika", pb::Role::Admin)],
            branches: no_branches,
        },
    }
}

/// QUICK: a name and an email address are enough, and approval is automatic.
fn quick() -> pb::AccountPolicies {
    pb::AccountPolicies { required_to_approve: paths(&["email"]), ..policies("EUR", "NL") }
}

/// TELECOM: every customer has a billing address, and an admin approves each.
fn telecom() -> pb::AccountPolicies {
    pb::AccountPolicies {
        required_to_create: paths(&["billing_email"]),
        required_to_approve: paths(&["email", "primary_address.city", "primary_contact.email"]),
        auto_approve: Some(false),
        ..policies("PLN", "PL")
    }
}

/// DEALER: the number in the dealer management system is required, and only a service manager may change it.
fn dealer() -> pb::AccountPolicies {
    pb::AccountPolicies { required_to_create: paths(&["custom_ids.dms"]), ..policies("EUR", "DE") }
}

/// MARKETPLACE: the fields of an order are required; a member may set the customer's number later.
fn marketplace() -> pb::AccountPolicies {
    pb::AccountPolicies {
        required_to_create: paths(&[
            "primary_address.line1",
            "primary_address.city",
            "primary_address.country",
            "email",
            "phone",
        ]),
        required_to_approve: paths(&[]),
        custom_id_role: pb::Role::Member.into(),
        ..policies("USD", "SG")
    }
}

/// FULL: an admin creates the organization, and approves it when no field is missing.
fn full() -> pb::AccountPolicies {
    pb::AccountPolicies {
        required_to_create: paths(&["legal_name"]),
        required_to_approve: paths(&[
            "legal_name",
            "custom_ids.erp",
            "registration_number",
            "tax_ids",
            "currency",
            "industry",
            "primary_address.line1",
            "primary_address.postal_code",
            "primary_address.city",
            "primary_address.country",
            "primary_contact.first_name",
            "primary_contact.last_name",
            "primary_contact.job_title",
            "primary_contact.email",
            "primary_contact.phone",
        ]),
        auto_approve: Some(false),
        create_role: pb::Role::Admin.into(),
        ..policies("EUR", "GR")
    }
}

fn policies(currency: &str, region: &str) -> pb::AccountPolicies {
    pb::AccountPolicies {
        default_currency: Some(currency.to_owned()),
        default_region: Some(region.to_owned()),
        ..Default::default()
    }
}

fn paths(paths: &[&str]) -> Option<pb::FieldPaths> {
    Some(pb::FieldPaths { paths: paths.iter().map(|path| (*path).to_owned()).collect() })
}
