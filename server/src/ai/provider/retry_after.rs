//! How long a provider asks to wait: it says so in one of several places.

use std::time::Duration;

use jiff::fmt::rfc2822;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use serde_json::Value;

/// Nobody means more than that.
const SECONDS_MAX: f64 = 7.0 * 86_400.0;

/// What the headers say: `retry-after-ms`, or `Retry-After` in seconds or as a date.
pub(super) fn from_headers(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name)?.to_str().ok().map(str::trim);
    if let Some(milliseconds) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return bounded(milliseconds / 1000.0);
    }
    let after = text(RETRY_AFTER.as_str())?;
    if let Ok(seconds) = after.parse::<f64>() {
        return bounded(seconds);
    }
    // Against the date of the answer itself, so that clocks need not agree.
    let date = |text: &str| rfc2822::parse(text).ok().map(|date| date.timestamp());
    let wait = date(after)?.duration_since(date(text(DATE.as_str())?)?);
    bounded(wait.as_secs_f64().max(0.0))
}

/// What Google's `RetryInfo` in the body says: `"34.4s"`.
pub(super) fn from_body(error: &Value) -> Option<Duration> {
    let details = error["details"].as_array()?;
    let delay = details.iter().find_map(|detail| detail["retryDelay"].as_str())?;
    bounded(delay.strip_suffix('s')?.parse().ok()?)
}

fn bounded(seconds: f64) -> Option<Duration> {
    (seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(SECONDS_MAX)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wait(headers: &[(&'static str, &'static str)]) -> Option<Duration> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        from_headers(&map)
    }

    #[test]
    fn it_is_read_wherever_it_stands() {
        let date = ("date", "Fri, 31 Dec 1999 23:59:50 GMT");
        assert_eq!(wait(&[("retry-after", "7")]), Some(Duration::from_secs(7)));
        assert_eq!(wait(&[("retry-after", "9"), ("retry-after-ms", "1250")]), Some(Duration::from_millis(1250)));
        assert_eq!(wait(&[("retry-after", "Sat, 01 Jan 2000 00:00:05 GMT"), date]), Some(Duration::from_secs(15)));
        assert_eq!(wait(&[("retry-after", "Thu, 30 Dec 1999 00:00:00 GMT"), date]), Some(Duration::ZERO));
        assert_eq!(wait(&[("retry-after", "Sat, 01 Jan 2000 00:00:05 GMT")]), None, "no date to compare with");
        for nonsense in ["soon", "-3", "NaN", ""] {
            assert_eq!(wait(&[("retry-after", nonsense)]), None, "{nonsense:?}");
        }
        assert_eq!(wait(&[("retry-after", "1e300")]), Some(Duration::from_hours(7 * 24)));
        assert_eq!(from_body(&json!({"details": [{}, {"retryDelay": "34.4s"}]})), Some(Duration::from_millis(34_400)));
        assert_eq!(from_body(&json!({"details": [{"retryDelay": "34"}]})), None);
    }
}
