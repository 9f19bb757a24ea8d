//! What stands in the path of a request.

use axum::{
    extract::{FromRequestParts, MatchedPath, RawPathParams},
    http::{StatusCode, request::Parts},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use synapti_protocol::graph_id::GraphId;

use super::error::ApiError;
use crate::{history::HistoryError, store::VersionId};

/// Where maps are imported and grown. Maps may be called so as well: every other method there is about them.
pub const IMPORT_ROUTE: &str = "/v1/graphs/import";
pub const GENERATE_ROUTE: &str = "/v1/graphs/generate";
const MAPS_CALLED_SO: [(&str, &str); 2] = [(IMPORT_ROUTE, "import"), (GENERATE_ROUTE, "generate")];

/// The graph that `{graph_id}` names.
#[derive(Debug)]
pub struct InGraph(pub GraphId);

/// The node or edge that `{node_id}` or `{edge_id}` names. Any text: documents may hold ids that the API would not give.
#[derive(Debug)]
pub struct Element(pub String);

/// The version that `{version_id}` names.
#[derive(Debug)]
pub struct Version(pub VersionId);

/// What `{name}` names.
#[derive(Debug)]
pub struct Named(pub String);

impl<S: Send + Sync> FromRequestParts<S> for InGraph {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let route = parts.extensions.get::<MatchedPath>().map(MatchedPath::as_str);
        if let Some((_, id)) = MAPS_CALLED_SO.iter().find(|(called, _)| Some(*called) == route) {
            return graph_id(id).map(Self);
        }
        graph_id(&param(parts, state, &["graph_id"]).await?).map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Element {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        param(parts, state, &["node_id", "edge_id"]).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        param(parts, state, &["name"]).await.map(Self)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Version {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // What is no number names no version.
        let text = param(parts, state, &["version_id"]).await?;
        let number = text.parse().ok().filter(|number: &i64| number.to_string() == text);
        number.map(|number| Self(VersionId(number))).ok_or_else(|| HistoryError::NotFound.into())
    }
}

/// Text from a client as a graph's id.
pub fn graph_id(text: &str) -> Result<GraphId, ApiError> {
    GraphId::try_from(text)
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, "invalid_graph_id", error.to_string()))
}

/// Any text as one segment of a path.
pub fn segment(text: &str) -> PercentEncode<'_> {
    const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
    utf8_percent_encode(text, ESCAPED)
}

async fn param<S: Send + Sync>(parts: &mut Parts, state: &S, names: &[&str]) -> Result<String, ApiError> {
    let params = RawPathParams::from_request_parts(parts, state)
        .await
        .map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, "invalid_path", "the path is not UTF-8"))?;
    let found = params.iter().find(|(name, _)| names.contains(name)).map(|(_, value)| value.to_owned());
    found.ok_or_else(ApiError::internal)
}
