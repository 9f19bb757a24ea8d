//! Parsers of values: text to type, `None` when it is not what the key takes.

use std::{path::PathBuf, str::FromStr, time::Duration};

use hyper::Uri;
use tracing_subscriber::EnvFilter;

use super::secret::{DatabaseUrl, Secret};
use crate::auth::{key_source::KeyPlace, keys::SECRET_BYTES_MIN};

/// What [`limit`] takes.
pub const COUNT: &str = "a whole number; 0 = no limit";
/// What [`text`] and [`secret`] take.
pub const WORD: &str = "visible ASCII characters without spaces";
/// What [`seconds`] takes.
pub const SECONDS: &str = "seconds from 0 to 86400, such as 10 or 0.5";

/// What [`dollars`] takes.
pub const DOLLARS: &str = "US dollars from 0 to 1000000, such as 5 or 0.25";

const SECONDS_MAX: f64 = 86_400.0;
const LOG_LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Who may use the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// Everybody who can reach it.
    Open,
    /// Holders of a valid token.
    Required,
}

/// What to do when Redis does not answer at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RedisAtStart {
    /// Start alone and say so; join the others as soon as it answers.
    GoOn,
    /// Do not start.
    Fail,
}

/// Whose models are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AiProvider {
    /// `OpenAI` or a server that speaks its protocol.
    OpenAi,
    /// Anthropic.
    Anthropic,
    /// Google Gemini.
    Gemini,
    /// No model at all: built-in templates.
    Template,
}

/// What answers when the provider cannot be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AiFallback {
    /// The built-in templates.
    Template,
    /// Nothing: it is an error.
    None,
}

/// Millionths of a US dollar.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MicroDollars(pub u64);

pub(super) fn parsed<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

pub(super) fn text(text: &str) -> Option<String> {
    is_visible(text).then(|| text.to_owned())
}

pub(super) fn path(text: &str) -> Option<PathBuf> {
    let is_sane = !text.is_empty() && !text.chars().any(char::is_control);
    is_sane.then(|| PathBuf::from(text))
}

pub(super) fn secret(text: &str) -> Option<Secret> {
    is_visible(text).then(|| Secret::new(text))
}

pub(super) fn auth_secret(text: &str) -> Option<Secret> {
    (text.len() >= SECRET_BYTES_MIN).then(|| Secret::new(text))
}

/// A URL that names a user would hold a password, which has no place in a log.
pub(super) fn key_place(text: &str) -> Option<KeyPlace> {
    if !text.contains("://") {
        return path(text).map(KeyPlace::File);
    }
    let uri: Uri = http_url(text)?.parse().ok()?;
    let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    (is_plain && uri.host().is_some_and(|host| !host.is_empty())).then_some(KeyPlace::Url(uri))
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

/// A limit; 0 = none.
pub(super) fn limit<T: FromStr>(text: &str) -> Option<T> {
    whole(text)
}

/// The ring is memory held for each room, so it is the one size that cannot be without limit.
pub(super) fn feed_bytes(text: &str) -> Option<usize> {
    whole::<usize>(text).filter(|bytes| *bytes > 0)
}

pub(super) fn seconds(text: &str) -> Option<Duration> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds = text.parse::<f64>().ok().filter(|seconds| plain && *seconds <= SECONDS_MAX)?;
    Duration::try_from_secs_f64(seconds).ok()
}

/// Time that has to be given for something to happen at all.
pub(super) fn some_seconds(text: &str) -> Option<Duration> {
    seconds(text).filter(|time| !time.is_zero())
}

pub(super) fn retries(text: &str) -> Option<u32> {
    whole::<u32>(text).filter(|retries| *retries <= 10)
}

pub(super) fn output_tokens(text: &str) -> Option<u32> {
    whole::<u32>(text).filter(|tokens| (256..=1_000_000).contains(tokens))
}

pub(super) fn at_least_one(text: &str) -> Option<u32> {
    whole::<u32>(text).filter(|count| *count > 0)
}

pub(super) fn dollars(text: &str) -> Option<MicroDollars> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let dollars = text.parse::<f64>().ok().filter(|dollars| plain && *dollars <= 1_000_000.0)?;
    Some(MicroDollars((dollars * 1_000_000.0).round() as u64))
}

pub(super) fn ai_fallback(text: &str) -> Option<AiFallback> {
    match text {
        "template" => Some(AiFallback::Template),
        "none" => Some(AiFallback::None),
        _ => None,
    }
}

/// A URL that names a user would hold a password, which has no place in a log.
pub(super) fn ai_base_url(text: &str) -> Option<String> {
    let uri: Uri = http_url(text)?.parse().ok()?;
    let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
    (is_plain && uri.query().is_none() && uri.host().is_some_and(|host| !host.is_empty()))
        .then(|| text.trim_end_matches('/').to_owned())
}

pub(super) fn auth_mode(text: &str) -> Option<AuthMode> {
    match text {
        "open" => Some(AuthMode::Open),
        "required" => Some(AuthMode::Required),
        _ => None,
    }
}

pub(super) fn ai_provider(text: &str) -> Option<AiProvider> {
    match text {
        "openai" => Some(AiProvider::OpenAi),
        "anthropic" => Some(AiProvider::Anthropic),
        "gemini" => Some(AiProvider::Gemini),
        "template" => Some(AiProvider::Template),
        _ => None,
    }
}

pub(super) fn database_url(text: &str) -> Option<DatabaseUrl> {
    if let Some(path) = text.strip_prefix("sqlite:") {
        let path = path.strip_prefix("//").unwrap_or(path);
        return (!path.is_empty() && path != ":memory:").then(|| DatabaseUrl::Sqlite(text.to_owned()));
    }
    postgres_url(text).map(DatabaseUrl::Postgres)
}

pub(super) fn postgres_url(text: &str) -> Option<Secret> {
    after_scheme(text, &["postgres", "postgresql"]).map(|_| Secret::new(text))
}

pub(super) fn redis_at_start(text: &str) -> Option<RedisAtStart> {
    match text {
        "go_on" => Some(RedisAtStart::GoOn),
        "fail" => Some(RedisAtStart::Fail),
        _ => None,
    }
}

pub(super) fn http_url(text: &str) -> Option<String> {
    after_scheme(text, &["http", "https"]).map(|_| text.to_owned())
}

/// A filter in the syntax of `tracing`, except that a lone word must be a level: `tracing` would take `verbose` for
/// the name of a module and silence everything else.
pub(super) fn log_filter(text: &str) -> Option<String> {
    let lone_words_are_levels = text.split(',').all(|directive| {
        let lone = !directive.contains(['=', '[', ']', '{', '}']);
        !lone || LOG_LEVELS.iter().any(|level| directive.trim().eq_ignore_ascii_case(level))
    });
    let parses = lone_words_are_levels && EnvFilter::builder().parse(text).is_ok();
    parses.then(|| text.to_owned())
}

pub(super) fn origins(text: &str) -> Option<Vec<String>> {
    text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(origin).collect()
}

/// An origin as browsers send it: lower case, no trailing slash, no default port.
fn origin(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let (scheme, authority) = lower.split_once("://")?;
    let authority = authority.strip_suffix('/').unwrap_or(authority);
    let scheme_is_sane = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let authority_is_sane = !authority.is_empty()
        && authority.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(&byte));
    if !scheme_is_sane || !authority_is_sane {
        return None;
    }
    let default_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let authority = authority.strip_suffix(default_port).unwrap_or(authority);
    Some(format!("{scheme}://{authority}"))
}

/// A stray space or line break in a name or a key only shows much later, as a refusal by somebody else.
fn is_visible(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Digits only: `parse` alone would also take a plus sign.
fn whole<T: FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn after_scheme<'a>(text: &'a str, schemes: &[&str]) -> Option<&'a str> {
    let (scheme, rest) = text.split_once("://")?;
    (schemes.contains(&scheme) && !rest.is_empty()).then_some(rest)
}
