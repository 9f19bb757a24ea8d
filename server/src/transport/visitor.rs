//! Who stands before the gate.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, FromRequestParts, Request},
    http::{Extensions, HeaderMap, request::Parts},
};

use jiff::Timestamp;
use tokio::time::Instant;

use super::gate::{Gate, JobWait};
use crate::{
    auth::Access,
    http::{AppState, error::ApiError},
    limits::address::TrustedProxies,
    room::Refusal,
};

/// Somebody who wants to come in.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// The address that the client speaks from.
    pub ip: IpAddr,
    /// What the client may do.
    pub access: Access,
}

/// The place of a request that waits for the AI; dropping it frees the place.
#[derive(Debug)]
pub struct Waits {
    until: Instant,
    _place: JobWait,
}

impl Waits {
    /// When it has waited long enough, or may no longer.
    pub fn until(&self) -> Instant {
        self.until
    }
}

impl Visitor {
    /// A place for a request that waits for the AI for so long, but not beyond the end of its token.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn waits(&self, gate: &Gate, within: Duration, now: Timestamp) -> Result<Waits, Refusal> {
        let until = self.until(within, now);
        Ok(Waits { until, _place: gate.admit_job_wait(self).await? })
    }

    /// When somebody has waited for so long, or may not any more.
    pub fn until(&self, within: Duration, now: Timestamp) -> Instant {
        let within = within.min(self.access.lasts(now).unwrap_or(within)).min(FOR_EVER);
        Instant::now() + within
    }
}

impl FromRequestParts<AppState> for Visitor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, ApiError> {
        // Whoever comes as far has been identified.
        let access = parts.extensions.get::<Access>().cloned().ok_or_else(ApiError::internal)?;
        Ok(Self { ip: ip(&parts.headers, &parts.extensions, &app.config.trusted_proxies), access })
    }
}

/// What no clock reaches.
const FOR_EVER: Duration = Duration::from_hours(24 * 365);

/// Set by proxies: the addresses that a request has passed, the client's first.
const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The address that a request comes from: the other end of its connection, or what a proxy of ours says of it.
pub fn ip_of(request: &Request, proxies: &TrustedProxies) -> IpAddr {
    ip(request.headers(), request.extensions(), proxies)
}

fn ip(headers: &HeaderMap, extensions: &Extensions, proxies: &TrustedProxies) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    // A request without a connection was made within this process.
    let peer = peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(address)| address.ip().to_canonical());
    let forwarded: Vec<&str> =
        headers.get_all(X_FORWARDED_FOR).iter().filter_map(|value| value.to_str().ok()).collect();
    proxies.client_of(peer, forwarded.into_iter())
}
