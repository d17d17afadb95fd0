//! The headers of a call. A list of up to 64 KiB is taken, for tokens of large identity providers; but no call keeps much of it
//! in memory. A list beyond 8 KiB is cut down at once to the headers that the service reads, and so is every list that came by
//! HTTP/1.1: its values are parts of the connection's buffer, which they would keep.

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ORIGIN, TE, USER_AGENT},
};

use crate::layers::{access, token::MAX_BYTES as MAX_TOKEN};

/// The largest header list that HTTP/2 accepts: 64 KiB of names and values, and 32 bytes for each of 256 headers, as HTTP/2
/// counts them (RFC 9113, section 6.5.2). h2 answers a list beyond it with HTTP 431. It ends the connection at four times its
/// size, or when one list takes more than seven frames.
pub(super) const MAX_LIST: u32 = 64 * 1024 + 256 * 32;
/// A list up to this size stays as it is.
const SMALL: usize = 8 * 1024;
/// What is kept of a token's header: a token that is not too large, with its scheme; and enough of one that is too large to
/// refuse it as such.
const TOKEN_HEADER: usize = MAX_TOKEN + 64;
/// What is kept of any other header. All valid values are shorter.
const OTHER_HEADER: usize = 512;
/// The outermost layer reads these and removes them, so they are kept whole.
const OF_MESHES: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-client-cert"), HeaderName::from_static("l5d-client-id")];
/// The headers that the service reads.
const OTHERS: [HeaderName; 12] = [
    access::TENANT,
    access::ACCOUNT,
    access::CUSTOMER,
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
    ACCEPT,
    CONTENT_TYPE,
    ORIGIN,
    TE,
    USER_AGENT,
];

/// Cuts a large list, or one that came by HTTP/1.1, down to the headers that the service reads.
pub(super) fn cut(headers: &mut HeaderMap, version: Version) {
    let size: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if size <= SMALL && version >= Version::HTTP_2 {
        return;
    }
    let mut kept = HeaderMap::new();
    let lengths = [(AUTHORIZATION, TOKEN_HEADER)].into_iter();
    let lengths =
        lengths.chain(OF_MESHES.map(|name| (name, usize::MAX))).chain(OTHERS.map(|name| (name, OTHER_HEADER)));
    for (name, length) in lengths {
        // Two are enough to refuse a header that must be given once.
        for value in headers.get_all(&name).iter().take(2) {
            let value = value.as_bytes();
            // A copy: h2's values may share the memory of the frame. Part of a valid value is valid.
            if let Ok(value) = HeaderValue::from_bytes(&value[..value.len().min(length)]) {
                kept.append(&name, value);
            }
        }
    }
    *headers = kept;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(headers: &[(&str, &str)]) -> HeaderMap {
        let mut list = HeaderMap::new();
        for (name, value) in headers {
            list.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        list
    }

    #[test]
    fn a_small_list_stays_as_it_is_unless_it_shares_the_connections_buffer() {
        let small = list(&[("x-request-id", "1"), ("authorization", "Bearer t.o.k")]);
        let mut cut_list = small.clone();
        cut(&mut cut_list, Version::HTTP_2);
        assert_eq!(cut_list, small);
        cut(&mut cut_list, Version::HTTP_11);
        assert_eq!(cut_list, list(&[("authorization", "Bearer t.o.k")]));
    }

    #[test]
    fn of_a_large_list_only_what_the_service_reads_is_kept_and_no_more_than_it_reads() {
        let (padding, token) = ("p".repeat(60_000), format!("Bearer {}", "t".repeat(MAX_TOKEN)));
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        let mut headers = list(&[
            ("x-padding", &padding),
            ("authorization", &token),
            ("clientele-account", id),
            ("clientele-tenant", "1"),
            ("clientele-tenant", "2"),
            ("clientele-tenant", "3"),
            ("user-agent", &padding),
        ]);
        cut(&mut headers, Version::HTTP_2);
        assert!(!headers.contains_key("x-padding"));
        assert!(headers["authorization"] == *token && headers["clientele-account"] == *id);
        assert_eq!(headers.get_all("clientele-tenant").iter().count(), 2);
        assert_eq!(headers["user-agent"].len(), OTHER_HEADER);

        let mut too_large = list(&[("authorization", &format!("{token}{padding}"))]);
        cut(&mut too_large, Version::HTTP_2);
        assert_eq!(too_large["authorization"].len(), TOKEN_HEADER);
    }
}
