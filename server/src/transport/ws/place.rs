//! Who stands before a socket, and where they may go.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri};
use synapti_protocol::{close::CloseCode, graph_id::GraphId};

use crate::{
    auth::{Access, Denied, Role, jws::TokenError, rights::Action},
    http::{AppState, credentials, origin::is_allowed},
    room::Refusal,
    transport::visitor::Visitor,
};

/// Where a client may go.
pub(super) struct Place {
    pub(super) graph: GraphId,
    pub(super) role: Role,
    pub(super) visitor: Visitor,
}

impl Place {
    /// Where a client may go, and who it is. A refusal is a close code after the upgrade, because a browser sees nothing else.
    pub(super) async fn of(
        state: &AppState,
        ip: IpAddr,
        headers: &HeaderMap,
        uri: &Uri,
        id: &Result<GraphId, String>,
    ) -> Result<Place, Refusal> {
        if !is_allowed(headers, uri, &state.config.auth.allowed_origins) {
            let reason = "pages of this origin may not use this server (SYNAPTI_AUTH_ALLOWED_ORIGINS)";
            return Err(Refusal::new(CloseCode::Forbidden, reason));
        }
        let graph = id.clone().map_err(|reason| Refusal::new(CloseCode::Malformed, reason))?;
        let access = access(state, headers, uri.query(), &graph).await.map_err(denied)?;
        // The same whether the graph is there or not.
        let Some(role) = access.role_in(&graph).filter(|_| access.may(Action::Read, &graph)) else {
            return Err(Refusal::new(CloseCode::Forbidden, "your token does not give you the right to this graph"));
        };
        Ok(Place { graph, role, visitor: Visitor { ip, access } })
    }
}

async fn access(state: &AppState, headers: &HeaderMap, query: Option<&str>, graph: &GraphId) -> Result<Access, Denied> {
    if state.auth.is_open() {
        return Ok(Access::open());
    }
    let shown = credentials::of_socket(headers, query)?;
    state.auth.access(shown.as_ref().map(credentials::Shown::as_credential), Some(graph)).await
}

fn denied(denied: Denied) -> Refusal {
    let code = match denied {
        Denied::Several => CloseCode::Malformed,
        Denied::OtherGraph => CloseCode::Forbidden,
        Denied::Token(TokenError::NoKeysYet) => CloseCode::AtCapacity,
        Denied::NothingShown | Denied::NotUnderstood | Denied::Token(_) | Denied::TooLongInUrl | Denied::Ticket => {
            CloseCode::Unauthenticated
        }
    };
    Refusal::new(code, denied.to_string())
}
