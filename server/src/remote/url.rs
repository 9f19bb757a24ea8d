//! Addresses of servers and of maps, as people have them: from the browser, from the API, or typed.

use std::fmt;

use hyper::Uri;
use synapti_protocol::graph_id::{GraphId, InvalidGraphId};

/// What stands before a map's id, in the address of its page, of the API, and of its socket.
const PLACES: [&str; 3] = ["/m/", "/v1/graphs/", "/v1/ws/"];

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    is_tls: bool,
    /// A name or an address, without brackets.
    host: String,
    port: u16,
    /// Host and port as they stand in the header.
    authority: String,
    /// The path below which a proxy has put the server: empty, or `/…` without a slash at its end.
    prefix: String,
}

/// Where a map is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapUrl {
    server: ServerUrl,
    graph: GraphId,
}

/// Why an address cannot be used. None of them quotes it: there may be a token in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// No known scheme.
    #[error("the address has to begin with http://, https://, ws:// or wss://")]
    Scheme,
    /// `host/…` may be meant with and without TLS.
    #[error("put http:// or https:// in front of the address, or a port after the host (localhost:8080/my-map)")]
    NoPort,
    /// A password or a token.
    #[error("the address holds a credential; put the token into the environment variable SYNAPTI_TOKEN instead")]
    Credential,
    /// The parts after `?` and `#` may hold tokens, and mean nothing here.
    #[error(
        "leave out the part of the address from `?` or `#` on; a token belongs into the environment variable SYNAPTI_TOKEN"
    )]
    Appendix,
    /// It has no host, or one that is not written in ASCII, or a port above 65535.
    #[error("the address has no host and port that can be used (expected: http://HOST:PORT/m/ID)")]
    Host,
    /// There is no map in it.
    #[error(
        "the address names no map (expected: http://HOST:PORT/m/ID, …/v1/graphs/ID, ws://HOST:PORT/v1/ws/ID or HOST:PORT/ID)"
    )]
    NoMap,
    /// Something stands where the id should.
    #[error("the address names no map: {0}")]
    Graph(#[from] InvalidGraphId),
}

impl ServerUrl {
    /// Understands the address of a server, as `https://host`.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (mut server, path) = split(text)?;
        path.trim_end_matches('/').clone_into(&mut server.prefix);
        Ok(server)
    }

    /// Whether the connection is encrypted.
    pub const fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// A name or an address, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The header `Host`.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The path of something that the server has at `path`, which begins with a slash.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

impl MapUrl {
    /// Understands the address of a map.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, UrlError> {
        let (mut server, path) = split(text)?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let is_bare = !text.contains("://");
        let place = PLACES.iter().find_map(|place| {
            let at = path.rfind(place)?;
            let id = &path[at + place.len()..];
            (!id.contains('/')).then_some((&path[..at], id))
        });
        let (prefix, id) = match place {
            Some(place) => place,
            None if is_bare => ("", path.strip_prefix('/').filter(|id| !id.contains('/')).ok_or(UrlError::NoMap)?),
            None => return Err(UrlError::NoMap),
        };
        if id.is_empty() {
            return Err(UrlError::NoMap);
        }
        prefix.clone_into(&mut server.prefix);
        Ok(Self { server, graph: GraphId::try_from(id)? })
    }

    /// Where the server is.
    pub const fn server(&self) -> &ServerUrl {
        &self.server
    }

    /// Which map it is.
    pub const fn graph(&self) -> &GraphId {
        &self.graph
    }
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority, self.prefix)
    }
}

impl fmt::Display for MapUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/m/{}", self.server, self.graph)
    }
}

/// The server without its prefix, and the path.
fn split(text: &str) -> Result<(ServerUrl, &str), UrlError> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, text),
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    if authority.contains('@') {
        return Err(UrlError::Credential);
    }
    if rest.contains(['?', '#']) {
        return Err(UrlError::Appendix);
    }
    let uri: Uri = format!("http://{authority}/").parse().map_err(|_| UrlError::Host)?;
    let host = uri.host().filter(|host| !host.is_empty()).ok_or(UrlError::Host)?;
    let port = uri.port_u16();
    if port.is_none() && authority.len() > host.len() {
        return Err(UrlError::Host);
    }
    let is_tls = match (scheme.as_deref(), port) {
        (Some("https" | "wss"), _) | (None, Some(443)) => true,
        (Some("http" | "ws"), _) | (None, Some(_)) => false,
        (None, None) => return Err(UrlError::NoPort),
        (Some(_), _) => return Err(UrlError::Scheme),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let server = ServerUrl {
        is_tls,
        host: bare.to_owned(),
        port: port.unwrap_or(if is_tls { 443 } else { 80 }),
        authority: authority.to_owned(),
        prefix: String::new(),
    };
    Ok((server, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_is_found_in_every_form_of_its_address() {
        for (text, shown) in [
            ("http://127.0.0.1:8080/m/my-map", "http://127.0.0.1:8080/m/my-map"),
            ("https://maps.example.org/m/my-map/", "https://maps.example.org/m/my-map"),
            ("https://example.org/maps/v1/graphs/m", "https://example.org/maps/m/m"),
            ("ws://localhost:1/v1/ws/a.b_c~d-e", "http://localhost:1/m/a.b_c~d-e"),
            ("WSS://[::1]/v1/ws/m", "https://[::1]/m/m"),
            ("localhost:8080/my-map", "http://localhost:8080/m/my-map"),
            ("localhost:8080/m/my-map", "http://localhost:8080/m/my-map"),
            ("maps.example.org:443/my-map", "https://maps.example.org:443/m/my-map"),
            ("http://h/m/m", "http://h/m/m"),
        ] {
            assert_eq!(MapUrl::parse(text).unwrap().to_string(), shown, "{text}");
        }
    }

    #[test]
    fn the_parts_of_an_address_are_where_a_client_needs_them() {
        let map = MapUrl::parse("wss://[::1]/maps/v1/ws/bees").unwrap();
        assert_eq!((map.server().host(), map.server().port(), map.server().is_tls()), ("::1", 443, true));
        assert_eq!((map.server().authority(), map.graph().as_str()), ("[::1]", "bees"));
        assert_eq!(map.server().path("/v1/graphs"), "/maps/v1/graphs");
        let server = ServerUrl::parse("http://localhost:8080/").unwrap();
        assert_eq!((server.port(), server.path("/v1/graphs").as_str()), (8080, "/v1/graphs"));
    }

    #[test]
    fn what_is_no_address_of_a_map_is_refused_with_words() {
        for (text, error) in [
            ("", UrlError::Host),
            ("my-map", UrlError::NoPort),
            ("localhost/my-map", UrlError::NoPort),
            ("ftp://h/m/x", UrlError::Scheme),
            ("http://h", UrlError::NoMap),
            ("http://h/", UrlError::NoMap),
            ("http://h/my-map", UrlError::NoMap),
            ("http://h/m/", UrlError::NoMap),
            ("http://h/m/a/b", UrlError::NoMap),
            ("h:1/a/b", UrlError::NoMap),
            ("http:///m/x", UrlError::Host),
            ("http://h:99999/m/x", UrlError::Host),
            ("http://h:/m/x", UrlError::Host),
            ("http://bücher.example/m/x", UrlError::Host),
            ("http://u:hunter2@h/m/x", UrlError::Credential),
            ("http://h/m/x?token=hunter2", UrlError::Appendix),
            ("http://h/m/x#token=hunter2", UrlError::Appendix),
            ("http://h/m/a%20b", UrlError::Graph(InvalidGraphId)),
        ] {
            let refused = MapUrl::parse(text).unwrap_err();
            assert_eq!(refused, error, "{text}");
            assert!(!refused.to_string().contains("hunter2"));
        }
    }
}
