//! Why a configuration was refused, in words for whoever wrote it.

use std::path::PathBuf;

/// The configuration cannot be used. The program ends with [`crate::cli::EXIT_USAGE`].
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// Nothing has this name.
    #[error("unknown {place} `{name}`{}", did_you_mean(nearest.as_deref()))]
    UnknownKey {
        /// What kind of thing has the name.
        place: String,
        /// The name as written.
        name: String,
        /// The known name nearest to it.
        nearest: Option<String>,
    },
    /// A key with a value that it does not take.
    #[error("{origin}: `{shown}` is not valid; expected {takes}")]
    BadValue {
        /// The key, as it is called where it was set.
        origin: String,
        /// The value, or a placeholder for a secret.
        shown: String,
        /// What the key takes.
        takes: &'static str,
    },
    /// The configuration file cannot be used.
    #[error("configuration file {}: {what}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// `open` where strangers may be.
    #[error(
        "{listen} is not a loopback address and auth.mode is `open`: everybody who reaches it could edit every map. \
         Set SYNAPTI_AUTH_MODE=required, or listen on 127.0.0.1, or set SYNAPTI_AUTH_OPEN_ANYWHERE=1 if something else \
         keeps strangers out"
    )]
    OpenToStrangers {
        /// The address.
        listen: std::net::SocketAddr,
    },
    /// `required`, and nothing to check tokens with.
    #[error(
        "auth.mode is `required`, and there is nothing to check tokens with. Set SYNAPTI_AUTH_SECRET to at least 32 random \
         bytes (`openssl rand -base64 32` makes some) for tokens of your own, or SYNAPTI_AUTH_JWKS to the key set of your \
         identity provider, a file or a URL"
    )]
    NoKeys,
    /// A replica without a server that it could be one of.
    #[error(
        "SYNAPTI_DATABASE_REPLICA_URL names a replica, and SYNAPTI_DATABASE_URL a SQLite file, which has none. \
         Unset it, or name the PostgreSQL server that it is a replica of"
    )]
    ReplicaOfAFile,
    /// Nothing to sign a token with.
    #[error(
        "a token is signed with a secret: set SYNAPTI_AUTH_SECRET to that of the server. Tokens for a server that checks them \
         with SYNAPTI_AUTH_JWKS come from whoever holds the private keys"
    )]
    NoSecret,
    /// Authorities for a connection that is not encrypted.
    #[error(
        "SYNAPTI_REDIS_CA_FILE names authorities to trust, and nothing is encrypted. Set SYNAPTI_REDIS_URL to a URL that begins \
         with rediss:// (two s), or unset SYNAPTI_REDIS_CA_FILE"
    )]
    CaWithoutTls,
    /// A provider that nobody can ask.
    #[error(
        "ai.provider is `{provider}`, and there is no key for it. Set {variable} or SYNAPTI_AI_API_KEY, or set SYNAPTI_AI_PROVIDER=template \
         for the templates that are built in. A server of your own (openai) needs SYNAPTI_AI_BASE_URL and no key"
    )]
    NoAiKey {
        /// The provider.
        provider: &'static str,
        /// Where its key is looked for.
        variable: &'static str,
    },
    /// A key for nobody.
    #[error(
        "SYNAPTI_AI_API_KEY is set, and nothing says whose key it is: set SYNAPTI_AI_PROVIDER to openai, anthropic or gemini"
    )]
    KeyOfNobody,
    /// A provider that can never be asked.
    #[error("the AI provider cannot be used: {what}. Check SYNAPTI_AI_BASE_URL and the provider's key")]
    AiUnusable {
        /// Why.
        what: String,
    },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
