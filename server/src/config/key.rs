//! What one setting is called in each place that can set it, what it takes and what it is for.

/// A setting's row in the table, apart from the type of its value.
#[derive(Debug)]
pub struct KeySpec {
    /// Dotted name, as in the configuration file: `limits.max_connections`.
    pub name: &'static str,
    /// Name in the environment where it does not follow from `name`; such keys belong to other programs as well.
    pub foreign_env: Option<&'static str>,
    /// Value when nobody sets one.
    pub default: Option<&'static str>,
    /// What a value may be, to complete "expected …".
    pub takes: &'static str,
    /// What the setting does, for `--help` and the documentation.
    pub about: &'static str,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// Whether the flag may stand alone, meaning `1`.
    pub switch: bool,
    /// Whether this version acts on it; setting one that it does not act on is answered with a warning.
    pub enforced: bool,
}

impl KeySpec {
    /// The environment variable: `SYNAPTI_LIMITS_MAX_CONNECTIONS`.
    pub fn env_name(&self) -> String {
        match self.foreign_env {
            Some(name) => name.to_owned(),
            None => format!("{}{}", super::ENV_PREFIX, self.name.replace('.', "_").to_ascii_uppercase()),
        }
    }

    /// The long flag without its dashes: `limits-max-connections`.
    pub fn flag_name(&self) -> String {
        self.name.replace(['.', '_'], "-")
    }

    /// The section of the configuration file that holds it; empty at the top level.
    pub fn section(&self) -> &'static str {
        self.name.split_once('.').map_or("", |(section, _)| section)
    }
}

/// A setting with the parser of its values.
#[derive(Debug)]
pub struct Key<T: 'static> {
    /// The row in the table.
    pub spec: KeySpec,
    /// Turns text into a value; `None` when it is not what `spec.takes` says.
    pub parse: fn(&str) -> Option<T>,
}

impl<T> Key<T> {
    /// A setting that this version acts on and that has a default.
    pub const fn new(
        name: &'static str,
        default: &'static str,
        takes: &'static str,
        parse: fn(&str) -> Option<T>,
        about: &'static str,
    ) -> Self {
        let spec = KeySpec {
            name,
            foreign_env: None,
            default: Some(default),
            takes,
            about,
            secret: false,
            switch: false,
            enforced: true,
        };
        Self { spec, parse }
    }

    /// The same without a default: unset is a value of its own.
    #[must_use]
    pub const fn optional(mut self) -> Self {
        self.spec.default = None;
        self
    }

    /// The same under the name that the environment already knows it by.
    #[must_use]
    pub const fn env(mut self, name: &'static str) -> Self {
        self.spec.foreign_env = Some(name);
        self
    }

    /// The same, its value never shown.
    #[must_use]
    pub const fn secret(mut self) -> Self {
        self.spec.secret = true;
        self
    }

    /// The same as a flag that may stand alone.
    #[must_use]
    pub const fn switch(mut self) -> Self {
        self.spec.switch = true;
        self
    }

    /// The same, accepted but without effect in this version.
    #[must_use]
    pub const fn not_enforced(mut self) -> Self {
        self.spec.enforced = false;
        self
    }
}
