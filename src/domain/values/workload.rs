//! The calling workload: the identity that its connection proves, beside the principal that its token names. It gives no rights;
//! events record it.

use std::fmt;

use crate::domain::values::violation::Rule;

/// A workload's identity: a SPIFFE id, or a Linkerd identity, which is a DNS name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workload(String);

impl Workload {
    /// Longest SPIFFE id, in bytes.
    const MAX_BYTES: usize = 2048;
    /// Longest trust domain or DNS name, in bytes.
    const MAX_NAME: usize = 255;

    /// A SPIFFE id, as `spiffe://example.org/ns/shop/sa/orders`.
    ///
    /// # Errors
    /// The rule of the SPIFFE-ID standard (2) that it breaks.
    pub fn parse_spiffe(raw: &str) -> Result<Self, Rule> {
        let rest = raw.strip_prefix("spiffe://").ok_or_else(|| Rule::new("must begin with spiffe://"))?;
        let (domain, path) = rest.split_once('/').map_or((rest, None), |(domain, path)| (domain, Some(path)));
        let in_domain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        let in_path = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        let is_segment = |segment: &str| !["", ".", ".."].contains(&segment) && segment.bytes().all(in_path);
        if raw.len() > Self::MAX_BYTES || !(1..=Self::MAX_NAME).contains(&domain.len()) {
            return Err(Rule::new("must have a trust domain of 1 to 255 characters, and 2048 characters at most"));
        }
        if !domain.bytes().all(in_domain) || !path.is_none_or(|path| path.split('/').all(is_segment)) {
            return Err(Rule::new(
                "must have a trust domain and a path of letters, digits, dots, dashes and underscores",
            ));
        }
        Ok(Self(raw.to_owned()))
    }

    /// The identity that Linkerd gives a client: `orders.shop.serviceaccount.identity.linkerd.cluster.local`, or a SPIFFE id for
    /// a client outside the cluster.
    ///
    /// # Errors
    /// It is neither.
    pub fn parse_linkerd(raw: &str) -> Result<Self, Rule> {
        if raw.starts_with("spiffe://") {
            return Self::parse_spiffe(raw);
        }
        let in_label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let is_name = raw.contains('.') && raw.split('.').all(|label| !label.is_empty() && label.bytes().all(in_label));
        if is_name && raw.len() <= Self::MAX_NAME {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Rule::new("must be a DNS name or a SPIFFE id"))
        }
    }

    /// The proved identity.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_spiffe_id_has_a_trust_domain_and_perhaps_a_path() {
        for good in ["spiffe://example.org/ns/shop/sa/orders", "spiffe://a", "spiffe://td_1.x/A-b/c.d"] {
            assert_eq!(Workload::parse_spiffe(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "spiffe://",
            "spiffe:///path",
            "https://example.org",
            "SPIFFE://example.org",
            "spiffe://Example.org",
            "spiffe://example.org/",
            "spiffe://example.org/a//b",
            "spiffe://example.org/a/../b",
            "spiffe://user@example.org/a",
            "spiffe://example.org:80/a",
            "spiffe://example.org/a?b",
            "spiffe://example.org/a b",
            "spiffe://example.org/ä",
        ] {
            assert!(Workload::parse_spiffe(bad).is_err(), "{bad}");
        }
        assert!(Workload::parse_spiffe(&format!("spiffe://a/{}", "b".repeat(2048))).is_err());
    }

    #[test]
    fn linkerd_identities_are_dns_names() {
        for good in ["orders.shop.serviceaccount.identity.linkerd.cluster.local", "spiffe://example.org/vm"] {
            assert_eq!(Workload::parse_linkerd(good).unwrap().as_str(), good);
        }
        for bad in ["", "orders", "a..b", "A.b", "a.b\n", "spiffe://", "a.b c"] {
            assert!(Workload::parse_linkerd(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_input_is_kept_unchanged_or_refused(raw in "(spiffe://)?[ -~ä/]{0,40}") {
            for parse in [Workload::parse_spiffe, Workload::parse_linkerd] {
                if let Ok(workload) = parse(&raw) {
                    prop_assert_eq!(workload.as_str(), raw.as_str());
                    prop_assert!(raw.bytes().all(|byte| byte.is_ascii_graphic()));
                }
            }
        }
    }
}
