//! Which database a URL names, and how to speak of it without its password.

use std::{fmt, str::FromStr as _};

use sqlx::postgres::PgConnectOptions;

use super::refusal::unusable;
use crate::store::StoreError;

/// What a URL may say after its `?`. The driver would ignore others, and log them with their values.
const PARAMETERS: [&str; 18] = [
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Databases that every cluster has, to ask from when ours is not there yet.
const MAINTENANCE: [&str; 2] = ["postgres", "template1"];

/// A database on a server. Shows no password, however it is printed.
#[derive(Clone)]
pub(super) struct Place {
    options: PgConnectOptions,
}

impl Place {
    /// Takes `postgres://USER:PASSWORD@HOST:PORT/NAME` and the usual parameters.
    pub(super) fn parse(url: &str) -> Result<Self, StoreError> {
        let (address, parameters) = url.split_once('?').unwrap_or((url, ""));
        let path = address.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
        // A password with such a character in it ends early, and the rest of it would be taken for a name that is shown.
        if url.contains('#') || path.contains(['@', '/', ':']) {
            return Err(unusable(
                "the database URL cannot be understood: in the user's name and the password, write each character that \
                 is neither a letter nor a digit as % and its two hexadecimal digits (@ is %40, / is %2F, # is %23)"
                    .to_owned(),
            ));
        }
        let names = parameters.split('&').filter(|part| !part.is_empty()).map(|part| part.split('=').next());
        for name in names.flatten() {
            if !PARAMETERS.contains(&name) && !name.starts_with("options[") {
                return Err(unusable(format!(
                    "the database URL has a parameter that is not known, or a `?` in its password that is not written \
                     as %3F; parameters are {}",
                    PARAMETERS.join(", ")
                )));
            }
        }
        let options = PgConnectOptions::from_str(url).map_err(|error| {
            unusable(format!(
                "the database URL cannot be understood ({error}): write postgres://USER:PASSWORD@HOST/NAME"
            ))
        })?;
        let options = match options.get_application_name() {
            Some(_) => options,
            None => options.application_name("synapti"),
        };
        Ok(Self { options })
    }

    /// How to connect.
    pub(super) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    /// The database's name; where the URL names none it is the user's.
    pub(super) fn database(&self) -> &str {
        self.options.get_database().unwrap_or(self.options.get_username())
    }

    /// Who connects.
    pub(super) fn user(&self) -> &str {
        self.options.get_username()
    }

    /// The same server by databases that are always there.
    pub(super) fn maintenance(&self) -> Vec<Self> {
        let others = MAINTENANCE.into_iter().filter(|name| *name != self.database());
        others.map(|name| Self { options: self.options.clone().database(name) }).collect()
    }

    /// Where the server is.
    pub(super) fn server(&self) -> String {
        match self.options.get_socket() {
            Some(folder) => format!("{} (port {})", folder.display(), self.options.get_port()),
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL database {} at {} as {}", self.database(), self.server(), self.user())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> String {
        match Place::parse(url) {
            Err(StoreError::Unusable(words)) => words,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn a_place_is_spoken_of_without_its_password() {
        let place = Place::parse("postgres://bee:hun%40ter2@db.example:6432/maps?sslmode=require").unwrap();
        assert_eq!(format!("{place:?}"), "PostgreSQL database maps at db.example:6432 as bee");
        let socket = Place::parse("postgresql://bee@%2Frun%2Fpostgresql/maps%20of%20bees").unwrap();
        assert_eq!(socket.to_string(), "PostgreSQL database maps of bees at /run/postgresql (port 5432) as bee");
        assert_eq!(Place::parse("postgres://bee@localhost").unwrap().database(), "bee");
    }

    #[test]
    fn what_cannot_be_understood_is_refused_without_showing_it() {
        let cases = [
            ("postgres://bee:hunter2/x@localhost/maps", "%2F"),
            ("postgres://bee:12/hunter2@localhost/maps", "%40"),
            ("postgres://bee:12#hunter2@localhost/maps", "%23"),
            ("postgres://bee:12?hunter2@localhost/maps", "%3F"),
            ("postgres://bee@localhost/maps?passwd=hunter2", "parameters are"),
            ("postgres://bee@localhost:hunter2/maps", "postgres://USER:PASSWORD@HOST/NAME"),
        ];
        for (url, words) in cases {
            let message = refusal(url);
            assert!(message.contains(words) && !message.contains("hunter2"), "{url}: {message}");
        }
    }
}
