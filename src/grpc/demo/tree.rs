//! The demo's accounts: a tree three deep, in which every account but the distributor's has another of the presets of
//! policies, by which one service is five portals.

use super::Owner;
use crate::grpc::pb;

/// An account of the demo.
pub(super) struct Node {
    /// Its name; the distributor's is the tenant's too.
    pub(super) name: &'static str,
    /// Whose it is below; the distributor is below itself.
    pub(super) parent: Owner,
    /// What it asks of its customers.
    pub(super) policies: fn() -> pb::AccountPolicies,
    /// Its members. The first is made with the account if it is an ADMIN, and creates its customers.
    pub(super) members: &'static [(&'static str, pb::Role)],
    /// Its branches, and whether each works with the dealer management system.
    pub(super) branches: &'static [(&'static str, bool)],
}

/// The account of an owner.
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

/// QUICK: a name and an email address will do, and whoever has them is served at once.
fn quick() -> pb::AccountPolicies {
    pb::AccountPolicies { required_to_approve: paths(&["email"]), ..policies("EUR", "NL") }
}

/// TELECOM: bills everybody, and has an admin look at each before it is served.
fn telecom() -> pb::AccountPolicies {
    pb::AccountPolicies {
        required_to_create: paths(&["billing_email"]),
        required_to_approve: paths(&["email", "primary_address.city", "primary_contact.email"]),
        auto_approve: Some(false),
        ..policies("PLN", "PL")
    }
}

/// DEALER: the number in the dealer management system comes first, and only a service manager changes it.
fn dealer() -> pb::AccountPolicies {
    pb::AccountPolicies { required_to_create: paths(&["custom_ids.dms"]), ..policies("EUR", "DE") }
}

/// MARKETPLACE: what an order brings along; whoever sells may put in the customer's number later.
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

/// FULL: an administrator enters an organization, and approves it when nothing is missing.
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
