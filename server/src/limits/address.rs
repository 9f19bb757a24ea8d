//! Addresses as they are counted, and who stands behind a proxy.

use std::{fmt, net::IpAddr};

use ipnet::IpNet;

/// Bits of an IPv6 address that name a network; within it everybody chooses addresses as they like.
const V6_NETWORK_BITS: u8 = 64;

/// Addresses in `X-Forwarded-For` that are looked at: behind more proxies than this nobody is.
const FORWARDED_MAX: usize = 16;

/// What one household or machine has as an address: an IPv4 address, or an IPv6 network of /64.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AddressKey(IpNet);

impl AddressKey {
    /// The key of an address; `None` for loopback, where everybody is this machine.
    pub fn of(ip: IpAddr) -> Option<Self> {
        let ip = ip.to_canonical();
        let bits = match ip {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => V6_NETWORK_BITS,
        };
        let network = IpNet::new(ip, bits).ok()?.trunc();
        (!ip.is_loopback()).then_some(Self(network))
    }
}

impl fmt::Display for AddressKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whose word about others' addresses is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Networks, separated by commas; a single address is a network of one. `None` when one of them is neither.
    pub fn parse(text: &str) -> Option<Self> {
        let network = |text: &str| text.parse().ok().or_else(|| text.parse().ok().map(|ip: IpAddr| IpNet::from(ip)));
        text.split(',').map(str::trim).map(network).collect::<Option<Vec<IpNet>>>().map(Self)
    }

    /// Whether this is one of them.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&ip.to_canonical()))
    }

    /// Where a request comes from: the last address in `forwarded` (the values of `X-Forwarded-For`, in order) that is no
    /// proxy of ours. What stands before it anybody may have written.
    pub fn client_of<'a>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a str>) -> IpAddr {
        let mut client = peer.to_canonical();
        let addresses = forwarded.rev().flat_map(|value| value.rsplit(',')).take(FORWARDED_MAX);
        for address in addresses {
            if !self.contains(client) {
                break;
            }
            let Some(address) = forwarded_address(address.trim()) else { break };
            client = address.to_canonical();
        }
        client
    }
}

/// An address, as proxies write it: `192.0.2.1`, `192.0.2.1:4711`, `[2001:db8::1]:4711`, `2001:db8::1`.
fn forwarded_address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<std::net::SocketAddr>().ok().map(|address| address.ip());
    let in_brackets = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse().ok().or_else(with_port).or_else(in_brackets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn neighbours_in_one_ipv6_network_are_one_address() {
        let key = |text| AddressKey::of(ip(text));
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
    }

    #[test]
    fn loopback_is_not_counted() {
        for own in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(AddressKey::of(ip(own)), None, "{own}");
        }
    }

    #[test]
    fn only_proxies_are_believed() {
        let proxies = TrustedProxies::parse("127.0.0.1, 10.0.0.0/8").unwrap();
        let client = |peer, forwarded: &[&'static str]| proxies.client_of(ip(peer), forwarded.iter().copied());
        assert_eq!(client("127.0.0.1", &["192.0.2.7"]), ip("192.0.2.7"));
        assert_eq!(client("127.0.0.1", &["6.6.6.6, 192.0.2.7", "10.1.1.1:99"]), ip("192.0.2.7"), "a stranger's claim");
        assert_eq!(client("198.51.100.9", &["192.0.2.7"]), ip("198.51.100.9"), "no proxy of ours");
        assert_eq!(client("127.0.0.1", &[]), ip("127.0.0.1"));
        assert_eq!(client("127.0.0.1", &["rubbish"]), ip("127.0.0.1"));
        assert_eq!(client("127.0.0.1", &["[2001:db8::1]:4711"]), ip("2001:db8::1"));
        assert_eq!(client("127.0.0.1", &["::ffff:192.0.2.7"]), ip("192.0.2.7"));
    }

    #[test]
    fn proxies_are_addresses_and_networks() {
        assert!(TrustedProxies::parse("10.0.0.0/8,::1").unwrap().contains(ip("::1")));
        for wrong in ["", "example.org", "10.0.0.0/33", "10.0.0.1,"] {
            assert_eq!(TrustedProxies::parse(wrong), None, "{wrong}");
        }
    }
}
