//! Files as maps, for the API and for the command line.

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use synapti_crdt::map::{
    Format,
    import::{self, Import, ImportError, ImportLimits, Problem},
};

use crate::ids;

/// Reads a file as a map that is made now, unless the file says when it was. May take long: for a thread of its own.
///
/// # Errors
/// [`ImportError`] says what to mend.
pub fn read(format: Format, bytes: &[u8], nodes_max: usize, now: Timestamp) -> Result<Import, ImportError> {
    let mut import = import::read(format, bytes, ImportLimits { nodes_max }, &mut || ids::fresh(now).to_string())?;
    import.map.created_at = created_at(&import.map.created_at, now).ok_or_else(|| {
        let message = "must be a time as in RFC 3339, such as 2026-01-01T00:00:00Z".to_owned();
        ImportError::Problems(vec![Problem { field: "created_at".to_owned(), message }])
    })?;
    Ok(import)
}

/// When a map was made, as its file has it: with a time zone, or without one in UTC.
fn created_at(text: &str, now: Timestamp) -> Option<String> {
    if text.is_empty() {
        return Some(now.to_string());
    }
    if text.parse::<Timestamp>().is_ok() {
        return Some(text.to_owned());
    }
    let utc = text.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(utc.timestamp().to_string())
}
