//! Gathers what file, environment and flags set; the last of these wins.

use std::{collections::HashMap, ffi::OsString, fs::File, io::Read, path::Path};

use super::{
    ENV_PREFIX, TOKEN_ENV_NAME,
    error::ConfigError,
    key::{Key, KeySpec},
    secret::HIDDEN,
    suggest::nearest,
    table::KEYS,
};

/// A configuration is a page or two; what is larger is some other file.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// A value together with the name it was set under.
#[derive(Debug)]
struct Setting {
    text: String,
    origin: String,
}

/// The winning text of every key that somebody set.
#[derive(Debug, Default)]
pub struct Layers(HashMap<&'static str, Setting>);

impl Layers {
    /// Takes the settings of a TOML file.
    pub fn add_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let wrong = |what: String| ConfigError::File { path: path.to_owned(), what };
        let text = read_bounded(path).map_err(&wrong)?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| wrong(error.to_string()))?;
        self.add_table(path, "", &table)
    }

    /// Takes the settings of the environment and refuses names under our prefix that mean nothing.
    pub fn add_env(&mut self, env: impl Iterator<Item = (OsString, OsString)>) -> Result<(), ConfigError> {
        for (name, value) in env {
            let Some(name) = name.to_str() else { continue };
            let Some(spec) = KEYS.iter().find(|spec| spec.env_name() == name) else {
                if name == TOKEN_ENV_NAME {
                    continue;
                }
                if name.starts_with(ENV_PREFIX) && !is_service_link(name, &value.to_string_lossy()) {
                    let known = KEYS.iter().map(|spec| spec.env_name());
                    return Err(unknown("environment variable".to_owned(), name, nearest(name, known)));
                }
                continue;
            };
            let text =
                value.into_string().map_err(|value| bad_value(spec, name.to_owned(), &value.to_string_lossy()))?;
            // Compose files and unit files write `NAME=` for "not set".
            if !text.is_empty() {
                self.set(spec, text, name.to_owned());
            }
        }
        Ok(())
    }

    /// Takes the settings of the command line.
    pub fn add_flags(&mut self, flags: &[(&'static KeySpec, String)]) {
        for (spec, text) in flags {
            self.set(spec, text.clone(), format!("--{}", spec.flag_name()));
        }
    }

    /// The value of a key that has a default.
    pub fn get<T>(&self, key: &'static Key<T>) -> Result<T, ConfigError> {
        let (text, origin) = match self.0.get(key.spec.name) {
            Some(setting) => (setting.text.as_str(), setting.origin.as_str()),
            None => (key.spec.default.unwrap_or_default(), key.spec.name),
        };
        (key.parse)(text).ok_or_else(|| bad_value(&key.spec, origin.to_owned(), text))
    }

    /// The value of a key that may be unset.
    pub fn get_optional<T>(&self, key: &'static Key<T>) -> Result<Option<T>, ConfigError> {
        if self.0.contains_key(key.spec.name) { self.get(key).map(Some) } else { Ok(None) }
    }

    /// Under which names keys without effect in this version were set.
    pub fn without_effect(&self) -> Vec<String> {
        let idle = KEYS.iter().filter(|spec| !spec.enforced);
        idle.filter_map(|spec| self.0.get(spec.name)).map(|setting| setting.origin.clone()).collect()
    }

    fn add_table(&mut self, path: &Path, prefix: &str, table: &toml::Table) -> Result<(), ConfigError> {
        for (part, value) in table {
            let name = format!("{prefix}{part}");
            let is_section = KEYS.iter().any(|spec| spec.section() == name);
            match (value, KEYS.iter().find(|spec| spec.name == name)) {
                (toml::Value::Table(inner), None) if is_section => {
                    self.add_table(path, &format!("{name}."), inner)?;
                }
                (_, None) => {
                    let known = KEYS.iter().map(|spec| spec.name.to_owned());
                    return Err(unknown(format!("key in {}:", path.display()), &name, nearest(&name, known)));
                }
                (value, Some(spec)) => {
                    let origin = format!("`{name}` in {}", path.display());
                    let Some(text) = scalar(value) else {
                        return Err(bad_value(spec, origin, &value.to_string()));
                    };
                    self.set(spec, text, origin);
                }
            }
        }
        Ok(())
    }

    fn set(&mut self, spec: &'static KeySpec, text: String, origin: String) {
        self.0.insert(spec.name, Setting { text, origin });
    }
}

fn read_bounded(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| error.to_string())?;
    file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("larger than {FILE_BYTES_MAX} bytes"));
    }
    Ok(text)
}

/// A file's value as the text that the environment would hold; a list becomes its items with commas between.
fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        toml::Value::Array(items) => {
            let items: Option<Vec<&str>> = items.iter().map(toml::Value::as_str).collect();
            items.map(|items| items.join(","))
        }
        toml::Value::Datetime(_) | toml::Value::Table(_) => None,
    }
}

/// Kubernetes puts addresses of every service into the environment; for a service called `synapti` they share our
/// prefix (`SYNAPTI_SERVICE_HOST`, `SYNAPTI_PORT=tcp://…`) and are nobody's mistake.
fn is_service_link(name: &str, value: &str) -> bool {
    let rest = name.strip_prefix(ENV_PREFIX).unwrap_or_default();
    let port_part =
        rest.strip_prefix("PORT_").is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()));
    rest == "SERVICE_HOST"
        || rest == "SERVICE_PORT"
        || rest.starts_with("SERVICE_PORT_")
        || port_part
        || (rest == "PORT" && ["tcp://", "udp://"].iter().any(|scheme| value.starts_with(scheme)))
}

fn unknown(place: String, name: &str, nearest: Option<String>) -> ConfigError {
    ConfigError::UnknownKey { place, name: name.to_owned(), nearest }
}

fn bad_value(spec: &KeySpec, origin: String, text: &str) -> ConfigError {
    // A URL that did not parse may still hold the password of one that nearly did, and many hand a key over as a query.
    let hidden = spec.secret || (text.contains("://") && text.contains(['@', '?']));
    let shown = if hidden { HIDDEN } else { text };
    ConfigError::BadValue { origin, shown: shown.chars().take(SHOWN_CHARS_MAX).collect(), takes: spec.takes }
}

/// A value in a message is there to be recognised, not to be read whole.
const SHOWN_CHARS_MAX: usize = 200;
