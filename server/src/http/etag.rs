//! Conditional requests (RFC 9110, section 13).
//!
//! An entity tag names the state of a map, whatever the encoding of the response; so `W/` makes no difference here,
//! neither for `If-None-Match`, where the RFC says so, nor for `If-Match`, where proxies that compress add it.

use axum::http::{HeaderMap, HeaderName, header};

/// Whether the client already has the state with this tag (`If-None-Match`).
pub fn none_match_fails(headers: &HeaderMap, etag: &str) -> bool {
    lists(headers, &header::IF_NONE_MATCH, etag).unwrap_or(false)
}

/// Whether the client wants to change another state than the one with this tag (`If-Match`).
pub fn match_fails(headers: &HeaderMap, etag: &str) -> bool {
    !lists(headers, &header::IF_MATCH, etag).unwrap_or(true)
}

/// Whether the header lists the tag or `*`; `None` without the header.
fn lists(headers: &HeaderMap, name: &HeaderName, etag: &str) -> Option<bool> {
    let mut lines = headers.get_all(name).iter().peekable();
    lines.peek()?;
    let opaque = |tag: &str| tag.trim().strip_prefix("W/").unwrap_or(tag.trim()).to_owned();
    let wanted = opaque(etag);
    Some(
        lines
            .filter_map(|line| line.to_str().ok())
            .flat_map(tags)
            .any(|tag| tag.trim() == "*" || opaque(tag) == wanted),
    )
}

/// Splits a list of tags at the commas that are not within a tag.
fn tags(line: &str) -> impl Iterator<Item = &str> {
    let mut quoted = false;
    line.split(move |c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ETAG: &str = "\"a,b\"";

    fn headers(name: &HeaderName, lines: &[&str]) -> HeaderMap {
        lines.iter().map(|line| (name.clone(), line.parse().unwrap())).collect()
    }

    #[test]
    fn if_none_match() {
        let fails = |lines: &[&str]| none_match_fails(&headers(&header::IF_NONE_MATCH, lines), ETAG);
        assert!(!fails(&[]));
        for line in ["\"a,b\"", "W/\"a,b\"", "\"x\", \"a,b\"", "\"x\",W/\"a,b\" ,\"y\"", "*", " * "] {
            assert!(fails(&[line]), "{line}");
        }
        assert!(fails(&["\"x\"", "\"a,b\""]));
        for line in ["\"a\"", "\"b\"", "a,b", "", "\"a,b", "\"x\", \"y\""] {
            assert!(!fails(&[line]), "{line}");
        }
    }

    #[test]
    fn if_match() {
        let fails = |lines: &[&str]| match_fails(&headers(&header::IF_MATCH, lines), ETAG);
        assert!(!fails(&[]));
        assert!(!fails(&["\"a,b\""]) && !fails(&["W/\"a,b\""]) && !fails(&["*"]));
        assert!(fails(&["\"old\""]) && fails(&[""]));
    }
}
