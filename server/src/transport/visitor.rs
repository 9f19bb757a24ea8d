//! Who stands before the gate.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::{ConnectInfo, Request};
use std::net::SocketAddr;

use crate::auth::Access;

/// Somebody who wants to come in.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The address that the client speaks from.
    pub ip: IpAddr,
    /// What the client may do.
    pub access: Access,
}

/// The address of the other end of a request's connection.
pub fn ip_of(request: &Request) -> IpAddr {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ConnectInfo(address)| address.ip().to_canonical())
}
