//! What a request shows of who sends it. Nothing of it is ever logged.
//!
//! One credential, in one place: with two of them there is no telling which one the client means.

use std::borrow::Cow;

use axum::http::{HeaderMap, header};
use percent_encoding::percent_decode_str;

use crate::auth::{Credential, Denied};

/// Marks the subprotocol that carries a token: browsers can send no header with a socket.
const SUBPROTOCOL_PREFIX: &str = "bearer.";

const SCHEME: &str = "bearer";

/// A credential with its text, which may have been decoded.
#[derive(PartialEq, Eq)]
pub enum Shown<'a> {
    /// A token in a header.
    Token(&'a str),
    /// A token in the URL.
    TokenInUrl(Cow<'a, str>),
    /// A ticket.
    Ticket(Cow<'a, str>),
}

impl Shown<'_> {
    /// The same for those who judge it.
    pub fn as_credential(&self) -> Credential<'_> {
        match self {
            Self::Token(token) => Credential::Token(token),
            Self::TokenInUrl(token) => Credential::TokenInUrl(token),
            Self::Ticket(ticket) => Credential::Ticket(ticket),
        }
    }
}

/// What an ordinary request shows: `Authorization: Bearer …`.
///
/// # Errors
/// When it cannot be understood, or there is more than one.
pub fn of_request(headers: &HeaderMap) -> Result<Option<Shown<'_>>, Denied> {
    only(bearer(headers)?)
}

/// What the request for a socket shows: the header, a subprotocol `bearer.…`, `?token=` or `?ticket=`.
///
/// # Errors
/// When it cannot be understood, or there is more than one.
pub fn of_socket<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Result<Option<Shown<'a>>, Denied> {
    let mut shown = bearer(headers)?;
    shown.extend(subprotocols(headers).filter_map(|name| name.strip_prefix(SUBPROTOCOL_PREFIX)).map(Shown::Token));
    for (name, value) in query.unwrap_or_default().split('&').filter_map(|parameter| parameter.split_once('=')) {
        // Clients that have none may send the parameter all the same.
        if value.is_empty() || !matches!(name, "token" | "ticket") {
            continue;
        }
        let value = percent_decode_str(value).decode_utf8().map_err(|_| Denied::NotUnderstood)?;
        shown.push(if name == "token" { Shown::TokenInUrl(value) } else { Shown::Ticket(value) });
    }
    only(shown)
}

/// The subprotocols that a socket asks for.
pub fn subprotocols(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(',')).map(str::trim)
}

fn bearer(headers: &HeaderMap) -> Result<Vec<Shown<'_>>, Denied> {
    let lines = headers.get_all(header::AUTHORIZATION).iter().map(|line| {
        let (scheme, token) = line.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case(SCHEME).then(|| Shown::Token(token.trim()))
    });
    lines.map(|shown| shown.ok_or(Denied::NotUnderstood)).collect()
}

fn only(mut shown: Vec<Shown<'_>>) -> Result<Option<Shown<'_>>, Denied> {
    let last = shown.pop();
    if shown.is_empty() { Ok(last) } else { Err(Denied::Several) }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect()
    }

    fn shown(lines: &[(HeaderName, &str)], query: &str) -> Result<Option<String>, Denied> {
        let headers = headers(lines);
        let shown = of_socket(&headers, Some(query))?;
        Ok(shown.map(|shown| match shown {
            Shown::Token(token) => format!("token {token}"),
            Shown::TokenInUrl(token) => format!("url {token}"),
            Shown::Ticket(ticket) => format!("ticket {ticket}"),
        }))
    }

    #[test]
    fn a_credential_is_found_in_each_place() {
        const PROTOCOL: HeaderName = header::SEC_WEBSOCKET_PROTOCOL;
        let found = |lines: &[(HeaderName, &str)], query: &str| shown(lines, query).unwrap().unwrap_or_default();
        assert_eq!(found(&[(header::AUTHORIZATION, "Bearer a.b.c")], ""), "token a.b.c");
        assert_eq!(found(&[(header::AUTHORIZATION, "bEARER   a.b.c ")], ""), "token a.b.c");
        assert_eq!(found(&[(PROTOCOL, "y-sync, bearer.a.b.c")], "ext=1"), "token a.b.c");
        assert_eq!(found(&[(PROTOCOL, "synapti.v1"), (PROTOCOL, "bearer.a.b.c")], ""), "token a.b.c");
        assert_eq!(found(&[], "x=1&token=a%2Eb.c&y"), "url a.b.c");
        assert_eq!(found(&[(PROTOCOL, "y-sync")], "ticket=abc-_"), "ticket abc-_");
        assert_eq!(found(&[(PROTOCOL, "y-sync")], "token=&ticket="), "");
    }

    #[test]
    fn what_is_not_understood_or_said_twice_is_refused() {
        let bearer = (header::AUTHORIZATION, "Bearer a");
        let protocol = (header::SEC_WEBSOCKET_PROTOCOL, "y-sync,bearer.a");
        for (lines, query) in [
            (&[bearer.clone(), bearer.clone()][..], ""),
            (&[bearer.clone(), protocol.clone()], ""),
            (&[protocol.clone(), protocol], ""),
            (&[bearer], "token=a"),
            (&[], "token=a&ticket=b"),
            (&[], "token=a&token=a"),
        ] {
            assert_eq!(shown(lines, query), Err(Denied::Several), "{lines:?} {query}");
        }
        for line in ["Basic dTpw", "Bearer", "a.b.c"] {
            assert_eq!(shown(&[(header::AUTHORIZATION, line)], ""), Err(Denied::NotUnderstood), "{line}");
        }
        assert_eq!(shown(&[], "token=%ff"), Err(Denied::NotUnderstood));
    }
}
