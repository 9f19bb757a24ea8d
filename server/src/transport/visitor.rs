//! Who stands before the gate.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, Request};

use crate::{auth::Access, limits::address::TrustedProxies};

/// Somebody who wants to come in.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The address that the client speaks from.
    pub ip: IpAddr,
    /// What the client may do.
    pub access: Access,
}

/// Set by proxies: the addresses that a request has passed, the client's first.
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The address that a request comes from: the other end of its connection, or what a proxy of ours says of it.
pub fn ip_of(request: &Request, proxies: &TrustedProxies) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    // A request without a connection was made within this process.
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(address)| address.ip().to_canonical());
    let forwarded: Vec<&str> =
        request.headers().get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    proxies.client_of(peer, forwarded.into_iter())
}
