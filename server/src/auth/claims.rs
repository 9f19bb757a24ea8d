//! What a token says: who, until when, and what they may do.

use std::{borrow::Cow, collections::HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Number;
use synapti_protocol::graph_id::GraphId;

use super::{access::Grant, jws::TokenError, role::Role};

/// The longest name of a client: it is a key of limits.
const SUBJECT_BYTES_MAX: usize = 256;

/// Of a longer display name the beginning is kept; as long as an author of a version may be.
const NAME_CHARS_MAX: usize = 200;

/// Maps that one token may name.
const GRAPHS_MAX: usize = 1_000;

/// How far the clocks of issuer and server may be apart.
const LEEWAY: SignedDuration = SignedDuration::from_secs(10);

/// Stands for every map that is not named itself.
pub const EVERY_GRAPH: &str = "*";

/// What tokens have to say of where they come from and what they are for; unset = anything.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// `iss`.
    pub issuer: Option<String>,
    /// `aud`, or one of several.
    pub audience: Option<String>,
}

#[derive(Deserialize)]
struct Claims<'a> {
    #[serde(borrow)]
    sub: Option<Cow<'a, str>>,
    exp: Option<Number>,
    nbf: Option<Number>,
    #[serde(borrow)]
    iss: Option<Cow<'a, str>>,
    aud: Option<Audience>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    role: Option<Cow<'a, str>>,
    #[serde(borrow)]
    graphs: Option<HashMap<Cow<'a, str>, Cow<'a, str>>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Reads the payload of a token whose signature was checked.
///
/// # Errors
/// Why it grants nothing.
pub fn grant(payload: &[u8], expected: &Expected, now: Timestamp) -> Result<Grant, TokenError> {
    let claims: Claims<'_> = serde_json::from_slice(payload)
        .map_err(|_| TokenError::Claims("not an object with sub, exp, name, role and graphs as documented"))?;
    let expires_at = times(&claims, now)?;
    from_here_for_us(&claims, expected)?;
    let client = claims.sub.filter(|sub| (1..=SUBJECT_BYTES_MAX).contains(&sub.len()));
    let client = client.ok_or(TokenError::Claims("`sub` must have 1 to 256 bytes"))?.into_owned();
    let is_admin = match claims.role.as_deref() {
        None | Some("user") => false,
        Some("admin") => true,
        Some(_) => return Err(TokenError::Claims("`role` must be user or admin; roles in maps go into `graphs`")),
    };
    let (everywhere, graphs) = roles(claims.graphs.unwrap_or_default())?;
    let display_name = claims.name.as_deref().and_then(display_name);
    Ok(Grant { client, display_name, is_admin, everywhere, graphs, expires_at: Some(expires_at) })
}

fn times(claims: &Claims<'_>, now: Timestamp) -> Result<Timestamp, TokenError> {
    let exp = claims.exp.as_ref().ok_or(TokenError::Claims("`exp` is missing: tokens without an end are not taken"))?;
    let expires_at = timestamp(exp).ok_or(TokenError::Claims("`exp` is not a time in seconds"))?;
    if now.duration_since(expires_at) >= LEEWAY {
        return Err(TokenError::Expired);
    }
    if let Some(nbf) = &claims.nbf {
        let begins_at = timestamp(nbf).ok_or(TokenError::Claims("`nbf` is not a time in seconds"))?;
        if begins_at.duration_since(now) > LEEWAY {
            return Err(TokenError::NotYet);
        }
    }
    Ok(expires_at)
}

fn from_here_for_us(claims: &Claims<'_>, expected: &Expected) -> Result<(), TokenError> {
    if expected.issuer.is_some() && claims.iss.as_deref() != expected.issuer.as_deref() {
        return Err(TokenError::Claims("`iss` is not the issuer that this server trusts (auth.issuer)"));
    }
    let Some(audience) = &expected.audience else { return Ok(()) };
    let is_for_us = match &claims.aud {
        None => false,
        Some(Audience::One(one)) => one == audience,
        Some(Audience::Several(several)) => several.contains(audience),
    };
    if is_for_us { Ok(()) } else { Err(TokenError::Claims("`aud` does not name this server (auth.audience)")) }
}

type Roles = (Option<Role>, HashMap<GraphId, Role>);

fn roles(named: HashMap<Cow<'_, str>, Cow<'_, str>>) -> Result<Roles, TokenError> {
    if named.len() > GRAPHS_MAX {
        return Err(TokenError::Claims("`graphs` names more than 1000 maps"));
    }
    let (mut everywhere, mut graphs) = (None, HashMap::with_capacity(named.len()));
    for (graph, role) in named {
        let role = Role::from_name(&role)
            .ok_or(TokenError::Claims("a role in `graphs` is none of owner, editor, commenter and viewer"))?;
        if graph == EVERY_GRAPH {
            everywhere = Some(role);
        } else {
            let id = GraphId::try_from(graph.as_ref());
            graphs.insert(id.map_err(|_| TokenError::Claims("a key of `graphs` is neither a graph id nor *"))?, role);
        }
    }
    Ok((everywhere, graphs))
}

/// A name that people can see, on one line.
fn display_name(name: &str) -> Option<String> {
    let shown: String = name.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    let shown = shown.trim();
    (!shown.is_empty()).then(|| shown.to_owned())
}

/// Seconds since 1970, also with a fraction; times beyond the calendar are its ends.
fn timestamp(number: &Number) -> Option<Timestamp> {
    let seconds = number.as_f64().filter(|seconds| seconds.is_finite())?;
    let end = if seconds < 0.0 { Timestamp::MIN } else { Timestamp::MAX };
    // Exact to the microsecond for some centuries to come; a cast beyond the range of the type takes its end.
    Some(Timestamp::from_microsecond((seconds * 1e6) as i64).unwrap_or(end))
}
