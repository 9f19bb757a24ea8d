//! Where Redis is: from a URL to what a connection needs. The password is shown nowhere.

use std::fmt;

use redis::{
    Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, ProtocolVersion, RedisResult, TlsCertificates,
    io::tcp::TcpSettings,
};

use crate::config::HIDDEN;

/// What a URL may look like, to complete "expected …".
pub const TAKES: &str = "redis://HOST:PORT or rediss://HOST:PORT (TLS), with USER:PASSWORD@ before the host and /NUMBER of the \
                         database behind it if need be; % and two hexadecimal digits stand for special characters";

/// Where a Redis server is. `Debug` and `Display` show host and port.
#[derive(Clone)]
pub struct Address {
    info: ConnectionInfo,
    /// As written: `host:port`, IPv6 in brackets.
    shown: String,
}

impl Address {
    /// Reads a URL; `None` when it is not [what it may look like](TAKES).
    pub fn parse(text: &str) -> Option<Self> {
        let url = redis::parse_redis_url(text).filter(|url| matches!(url.scheme(), "redis" | "rediss"))?;
        // Parameters could turn off the checks of TLS, or ask for a protocol that has no push messages.
        let is_plain = url.query().is_none() && url.fragment().is_none();
        let host = url.host_str().filter(|host| is_plain && !host.is_empty())?;
        let shown = format!("{host}:{}", url.port().unwrap_or(DEFAULT_PORT));
        let database = url.path().trim_start_matches('/');
        if !database.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let info = text.into_connection_info().ok()?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let info = info.set_redis_settings(settings).set_tcp_settings(TcpSettings::default().set_nodelay(true));
        Some(Self { info, shown })
    }

    /// Whether the connection is encrypted.
    pub fn is_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }

    /// Takes the password out of a text. An old server that does not know how we sign in repeats what we sent.
    pub fn without_secrets(&self, text: &str) -> String {
        match self.info.redis_settings().password().filter(|password| !password.is_empty()) {
            Some(password) => text.replace(password, HIDDEN),
            None => text.to_owned(),
        }
    }

    /// What a connection needs.
    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    /// Connects nowhere yet; `authorities` are certificates (PEM) to trust instead of the usual ones.
    pub(super) fn client(&self, authorities: Option<&[u8]>) -> RedisResult<Client> {
        match authorities {
            Some(authorities) if self.is_tls() => Client::build_with_tls(self.info.clone(), trusting(authorities)),
            _ => Client::open(self.info.clone()),
        }
    }
}

const DEFAULT_PORT: u16 = 6379;

pub(super) fn trusting(authorities: &[u8]) -> TlsCertificates {
    TlsCertificates { client_tls: None, root_cert: Some(authorities.to_vec()) }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_decoded_and_never_shown() {
        let address = Address::parse("rediss://ann:p%40ss%2Fword@cache.example:7000/3").unwrap();
        let settings = address.info.redis_settings();
        assert_eq!((settings.username(), settings.password(), settings.db()), (Some("ann"), Some("p@ss/word"), 3));
        assert!(address.is_tls());
        assert_eq!(address.to_string(), "cache.example:7000");
        let shown = format!("{address:?}");
        assert!(shown.contains("cache.example:7000") && !shown.contains("ann") && !shown.contains("p@ss"), "{shown}");
        let repeated = "ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `ann`, `p@ss/word`";
        assert!(!address.without_secrets(repeated).contains("p@ss"));
    }

    #[test]
    fn the_port_may_be_left_out_and_addresses_may_be_ipv6() {
        for (url, shown) in [
            ("redis://localhost", "localhost:6379"),
            ("redis://:secret@10.0.0.1/", "10.0.0.1:6379"),
            ("redis://[::1]:7001", "[::1]:7001"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!address.is_tls() && address.info.tcp_settings().nodelay());
        }
    }

    #[test]
    fn what_is_no_such_url_is_refused() {
        for url in [
            "",
            "localhost:6379",
            "http://localhost",
            "redis://",
            "redis:///1",
            "redis://localhost:notaport",
            "redis://localhost/one",
            "redis://localhost/-1",
            "redis://localhost/1/2",
            "rediss://localhost/#insecure",
            "redis://localhost?protocol=resp2",
            "redis+unix:///tmp/redis.sock",
            "redis://user:100%ff@localhost",
        ] {
            assert!(Address::parse(url).is_none(), "{url}");
        }
    }
}
