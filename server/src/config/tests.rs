use std::{fs, path::PathBuf};

use super::*;

const NO_ENV: [(&str, &str); 0] = [];

fn from_env(env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load(None, env.iter().copied(), &[])
}

fn from_file(toml: &str) -> Result<Config, ConfigError> {
    let (_folder, path) = file(toml);
    Config::load(Some(&path), NO_ENV, &[])
}

fn file(toml: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("synapti.toml");
    fs::write(&path, toml).unwrap();
    (folder, path)
}

fn message(result: Result<Config, ConfigError>) -> String {
    result.expect_err("the configuration should have been refused").to_string()
}

#[test]
fn defaults_are_those_of_the_contract() {
    let config = Config::default();
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.database_url, DatabaseUrl::Sqlite("sqlite:data/synapti.db".into()));
    assert_eq!(config.auth.mode, AuthMode::Open);
    assert!(config.redis_url.is_none() && config.auth.allowed_origins.is_empty() && !config.auth.open_anywhere);
    let limits = &config.limits;
    assert_eq!((limits.max_connections, limits.max_connections_per_client), (10_000, 5));
    assert_eq!((limits.max_connections_per_ip, limits.max_connections_per_room), (1_000, 2_000));
    assert_eq!((limits.message_bytes_max, limits.sync_bytes_max), (1 << 20, 16 << 20));
    assert_eq!((limits.document_bytes_max, limits.feed_bytes_max), (64 << 20, 1 << 20));
    assert_eq!(limits.messages_per_second, 200);
    assert_eq!((config.shutdown_grace.as_secs(), config.room_idle_close_after.as_secs()), (10, 30));
    assert_eq!(config.log, "info");
    assert!(config.warnings.is_empty());
}

#[test]
fn flags_beat_environment_beats_file_beats_defaults() {
    let (_folder, path) = file("log = \"error\"\n[limits]\nmax_connections = 1\nmessage_bytes_max = 10\n");
    let env = [("SYNAPTI_LIMITS_MAX_CONNECTIONS", "2"), ("SYNAPTI_LIMITS_MESSAGE_BYTES_MAX", "20")];
    let flags = [(&table::MAX_CONNECTIONS.spec, "3".to_owned())];
    let config = Config::load(Some(&path), env, &flags).unwrap();
    assert_eq!(config.limits.max_connections, 3);
    assert_eq!(config.limits.message_bytes_max, 20);
    assert_eq!(config.log, "error");
    assert_eq!(config.limits.sync_bytes_max, 16 << 20);
}

#[test]
fn every_key_is_read_from_environment_and_file() {
    for spec in table::KEYS {
        let bad = "\u{1}bad";
        let from_env = Config::load(None, [(spec.env_name(), bad.to_owned())], &[]);
        let (section, leaf) = spec.name.rsplit_once('.').unwrap_or(("", spec.name));
        let header = if section.is_empty() { String::new() } else { format!("[{section}]\n") };
        let from_file = from_file(&format!("{header}{leaf} = {}\n", toml::Value::from(bad)));
        assert!(message(from_env).starts_with(&format!("{}: ", spec.env_name())), "{}", spec.name);
        let message = message(from_file);
        assert!(message.contains(spec.name) && message.contains(spec.takes), "{message}");
    }
}

#[test]
fn names_follow_from_the_dotted_name() {
    let spec = &table::MAX_CONNECTIONS_PER_IP.spec;
    assert_eq!(spec.env_name(), "SYNAPTI_LIMITS_MAX_CONNECTIONS_PER_IP");
    assert_eq!(spec.flag_name(), "limits-max-connections-per-ip");
    assert_eq!(table::AI_OPENAI_API_KEY.spec.env_name(), "OPENAI_API_KEY");
}

#[test]
fn bad_values_name_key_value_and_what_is_allowed() {
    for (name, value) in [
        ("SYNAPTI_LISTEN", "localhost"),
        ("SYNAPTI_LISTEN", "127.0.0.1"),
        ("SYNAPTI_LISTEN", "127.0.0.1:99999"),
        ("SYNAPTI_DATABASE_URL", "mysql://host/db"),
        ("SYNAPTI_DATABASE_URL", "sqlite:"),
        ("SYNAPTI_DATABASE_URL", "sqlite::memory:"),
        ("SYNAPTI_AUTH_MODE", "Open"),
        ("SYNAPTI_AUTH_OPEN_ANYWHERE", "maybe"),
        ("SYNAPTI_AUTH_ALLOWED_ORIGINS", "https://a.example/path"),
        ("SYNAPTI_AUTH_ALLOWED_ORIGINS", "*"),
        ("SYNAPTI_LIMITS_MAX_CONNECTIONS", "-1"),
        ("SYNAPTI_LIMITS_MAX_CONNECTIONS", "+1"),
        ("SYNAPTI_LIMITS_MAX_CONNECTIONS", "1e3"),
        ("SYNAPTI_LIMITS_MAX_CONNECTIONS", "99999999999999999999999"),
        ("SYNAPTI_LIMITS_FEED_BYTES_MAX", "0"),
        ("SYNAPTI_LOG", "verbose"),
        ("SYNAPTI_LOG", "info,synapti=loud"),
        ("SYNAPTI_SHUTDOWN_GRACE", "-1"),
        ("SYNAPTI_SHUTDOWN_GRACE", "inf"),
        ("SYNAPTI_SHUTDOWN_GRACE", "86401"),
        ("SYNAPTI_AI_PROVIDER", "acme"),
        ("SYNAPTI_AI_BASE_URL", "example.org"),
    ] {
        let message = message(from_env(&[(name, value)]));
        assert!(message.starts_with(&format!("{name}: `{value}` is not valid; expected ")), "{message}");
    }
}

#[test]
fn unknown_names_are_refused_with_the_nearest_known_one() {
    let message_of = |name: &str| message(from_env(&[(name, "1")]));
    assert_eq!(
        message_of("SYNAPTI_LIMITS_MAX_CONECTIONS"),
        "unknown environment variable `SYNAPTI_LIMITS_MAX_CONECTIONS`; did you mean `SYNAPTI_LIMITS_MAX_CONNECTIONS`?"
    );
    assert_eq!(message_of("SYNAPTI_WHATEVER_IT_IS"), "unknown environment variable `SYNAPTI_WHATEVER_IT_IS`");
    let in_file = message(from_file("[limits]\nmax_conections = 1\n"));
    assert!(in_file.ends_with("`limits.max_conections`; did you mean `limits.max_connections`?"), "{in_file}");
    let section = message(from_file("[limit]\n"));
    assert!(section.contains("unknown key") && section.contains("`limit`"), "{section}");
    let scalar_section = message(from_file("limits = 5\n"));
    assert!(scalar_section.contains("`limits`"), "{scalar_section}");
    assert!(from_env(&[("HOME", "/root"), ("SYNAPTIC", "1")]).is_ok());
}

#[test]
fn service_links_of_kubernetes_are_not_mistakes() {
    let links = [
        ("SYNAPTI_SERVICE_HOST", "10.0.0.1"),
        // Of commands that speak to a server; no setting.
        ("SYNAPTI_TOKEN", "a.b.c"),
        ("SYNAPTI_SERVICE_PORT", "8080"),
        ("SYNAPTI_SERVICE_PORT_HTTP", "8080"),
        ("SYNAPTI_PORT", "tcp://10.0.0.1:8080"),
        ("SYNAPTI_PORT_8080_TCP_ADDR", "10.0.0.1"),
    ];
    assert!(from_env(&links).is_ok());
    assert!(message(from_env(&[("SYNAPTI_PORT", "8080")])).contains("SYNAPTI_PORT"));
}

#[test]
fn secrets_are_never_shown() {
    let shown = message(from_env(&[("SYNAPTI_AUTH_SECRET", "tooshort")]));
    assert!(!shown.contains("tooshort") && shown.contains("at least 32 bytes"), "{shown}");
    let shown = message(from_env(&[("SYNAPTI_DATABASE_URL", "postgre://user:hunter2@host/db")]));
    assert!(!shown.contains("hunter2"), "{shown}");
    let shown = message(from_env(&[("SYNAPTI_AI_BASE_URL", "https://llm.example/v1?key=hunter2")]));
    assert!(!shown.contains("hunter2"), "{shown}");
    let long = "a-secret-of-more-than-thirty-two-bytes";
    let whose = ("SYNAPTI_AI_PROVIDER", "gemini");
    let config = from_env(&[("SYNAPTI_AUTH_SECRET", long), ("SYNAPTI_AI_API_KEY", "sk-123456"), whose]).unwrap();
    let debug = format!("{config:?}");
    assert!(!debug.contains(long) && !debug.contains("sk-123456"), "{debug}");
    assert_eq!(config.auth.secret.unwrap().expose(), long);
    let postgres = value::database_url("postgres://user:hunter2@host/db").unwrap();
    assert!(!format!("{postgres:?}").contains("hunter2"));
}

#[test]
fn open_mode_is_refused_on_public_addresses_unless_agreed_to() {
    for address in ["0.0.0.0:8080", "[::]:8080", "192.168.1.2:80", "[::ffff:10.0.0.1]:80"] {
        let refused = message(from_env(&[("SYNAPTI_LISTEN", address)]));
        assert!(refused.contains(address) && refused.contains("SYNAPTI_AUTH_OPEN_ANYWHERE=1"), "{refused}");
        assert!(from_env(&[("SYNAPTI_LISTEN", address), ("SYNAPTI_AUTH_OPEN_ANYWHERE", "1")]).is_ok());
        assert!(from_env(&[("SYNAPTI_LISTEN", address), ("SYNAPTI_AUTH_OPEN_ANYWHERE", "0")]).is_err());
    }
    for address in ["127.0.0.1:0", "[::1]:8080", "127.8.8.8:1", "[::ffff:127.0.0.1]:80"] {
        assert!(from_env(&[("SYNAPTI_LISTEN", address)]).is_ok(), "{address}");
    }
}

#[test]
fn redis_is_named_by_a_url_whose_password_is_never_shown() {
    let database = ("SYNAPTI_DATABASE_URL", "postgres://host/synapti");
    let config = from_env(&[("SYNAPTI_REDIS_URL", "redis://:hunter2@cache:7000/1"), database]).unwrap();
    assert!(config.warnings.is_empty() && config.redis.at_start == RedisAtStart::GoOn);
    assert_eq!(config.redis_url.as_ref().unwrap().to_string(), "cache:7000");
    assert!(!format!("{config:?}").contains("hunter2"));
    for wrong in ["cache:7000", "redis://:hunter2@", "redis://:hunter2@cache/x", "http://:hunter2@cache"] {
        let refused = message(from_env(&[("SYNAPTI_REDIS_URL", wrong), database]));
        assert!(refused.contains("SYNAPTI_REDIS_URL") && refused.contains("rediss://HOST:PORT"), "{refused}");
        assert!(!refused.contains("hunter2"), "{refused}");
    }
    let fail = [("SYNAPTI_REDIS_URL", "redis://cache"), ("SYNAPTI_REDIS_AT_START", "fail"), database];
    assert_eq!(from_env(&fail).unwrap().redis.at_start, RedisAtStart::Fail);
    let unknown = message(from_env(&[("SYNAPTI_REDIS_AT_START", "wait")]));
    assert!(unknown.contains("go_on or fail"), "{unknown}");
}

#[test]
fn redis_beside_a_file_is_warned_of_and_authorities_need_encryption() {
    let config = from_env(&[("SYNAPTI_REDIS_URL", "redis://cache")]).unwrap();
    assert!(config.warnings[0].contains("nobody to hear"), "{:?}", config.warnings);
    let authorities = ("SYNAPTI_REDIS_CA_FILE", "/etc/ca.pem");
    for plain in [&[authorities][..], &[("SYNAPTI_REDIS_URL", "redis://cache"), authorities]] {
        let refused = message(from_env(plain));
        assert!(refused.contains("rediss://"), "{refused}");
    }
    assert!(from_env(&[("SYNAPTI_REDIS_URL", "rediss://cache"), authorities]).is_ok());
}

#[test]
fn tokens_can_be_required_where_there_is_a_key_to_check_them_with() {
    const SECRET: &str = "a-secret-of-more-than-thirty-two-bytes";
    let required = ("SYNAPTI_AUTH_MODE", "required");
    let refused = message(from_env(&[required]));
    assert!(refused.contains("SYNAPTI_AUTH_SECRET") && refused.contains("SYNAPTI_AUTH_JWKS"), "{refused}");
    let anywhere = ("SYNAPTI_LISTEN", "0.0.0.0:8080");
    let with_secret = from_env(&[required, anywhere, ("SYNAPTI_AUTH_SECRET", SECRET)]).unwrap();
    assert!(with_secret.auth.mode == AuthMode::Required && with_secret.warnings.is_empty());
    assert_eq!(with_secret.auth.to_string(), "tokens required; HS256 with auth.secret");
    assert_eq!(Config::default().auth.to_string(), "open: everybody may do everything");
    for (place, shown) in [
        ("/etc/synapti/keys.json", "/etc/synapti/keys.json"),
        ("keys.json", "keys.json"),
        ("https://id.example/keys?tenant=7", "https://id.example/keys"),
        ("http://[::1]:8081/jwks", "http://[::1]:8081/jwks"),
    ] {
        let config = from_env(&[required, anywhere, ("SYNAPTI_AUTH_JWKS", place)]).unwrap();
        assert_eq!(config.auth.jwks.unwrap().to_string(), shown);
    }
    for place in ["ftp://id.example/keys", "https://", "https://user:hunter2@id.example/keys", "https:///keys"] {
        let refused = message(from_env(&[required, ("SYNAPTI_AUTH_JWKS", place)]));
        assert!(refused.contains("SYNAPTI_AUTH_JWKS") && !refused.contains("hunter2"), "{refused}");
    }
}

#[test]
fn a_replica_needs_a_server_that_it_is_one_of() {
    let replica = ("SYNAPTI_DATABASE_REPLICA_URL", "postgres://user:hunter2@standby/synapti");
    for scheme in ["postgres", "postgresql"] {
        let url = format!("{scheme}://user:hunter2@host/synapti");
        let config = from_env(&[("SYNAPTI_DATABASE_URL", &url), replica]).unwrap();
        assert!(matches!(&config.database_url, DatabaseUrl::Postgres(secret) if secret.expose() == url));
        assert!(!format!("{config:?}").contains("hunter2"));
        assert!(config.database_replica_url.is_some());
    }
    let refused = message(from_env(&[replica]));
    assert!(refused.contains("SYNAPTI_DATABASE_REPLICA_URL") && !refused.contains("hunter2"), "{refused}");
    let file = message(from_env(&[("SYNAPTI_DATABASE_REPLICA_URL", "sqlite:hunter2.db")]));
    assert!(file.contains("postgres://") && !file.contains("hunter2"), "{file}");
}

#[test]
fn zero_is_a_valid_limit() {
    for spec in table::KEYS.into_iter().filter(|spec| spec.section() == "limits") {
        let zero = Config::load(None, [(spec.env_name(), "0")], &[]);
        assert_eq!(zero.is_ok(), spec.name != "limits.feed_bytes_max", "{}", spec.name);
    }
    assert_eq!(from_env(&[("SYNAPTI_LIMITS_MAX_CONNECTIONS", "0")]).unwrap().limits.max_connections, 0);
}

#[test]
fn empty_environment_variables_count_as_unset() {
    let config = from_env(&[("SYNAPTI_LISTEN", ""), ("SYNAPTI_REDIS_URL", ""), ("SYNAPTI_AUTH_SECRET", "")]).unwrap();
    assert_eq!(config.listen.port(), 8080);
    assert!(config.redis_url.is_none() && config.warnings.is_empty());
}

#[test]
fn origins_are_kept_as_browsers_send_them() {
    let origins = value::origins("https://Maps.Example:443/, http://localhost:5173 ,http://[::1]:80").unwrap();
    assert_eq!(origins, ["https://maps.example", "http://localhost:5173", "http://[::1]"]);
    let listed = from_file("[auth]\nallowed_origins = [\"https://a.example\", \"https://b.example\"]\n").unwrap();
    assert_eq!(listed.auth.allowed_origins, ["https://a.example", "https://b.example"]);
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let missing = message(Config::load(Some(Path::new("/does/not/exist.toml")), NO_ENV, &[]));
    assert!(missing.contains("/does/not/exist.toml"), "{missing}");
    let broken = message(from_file("listen = \n"));
    assert!(broken.contains("synapti.toml") && broken.contains("line 1"), "{broken}");
    let date = message(from_file("listen = 2026-01-01\n"));
    assert!(date.contains("`listen`") && date.contains("an IP address"), "{date}");
    let table = message(from_file("[listen]\nport = 1\n"));
    assert!(table.contains("`listen`"), "{table}");
}

#[test]
fn durations_take_fractions() {
    let config = from_env(&[("SYNAPTI_SHUTDOWN_GRACE", "0.5"), ("SYNAPTI_ROOM_IDLE_CLOSE_AFTER", "0")]).unwrap();
    assert_eq!(config.shutdown_grace, Duration::from_millis(500));
    assert_eq!(config.room_idle_close_after, Duration::ZERO);
}

#[test]
fn the_documentation_lists_every_key_with_its_names_and_default() {
    let documentation = include_str!("../../../docs/configuration.md");
    for spec in table::KEYS {
        let row = documentation.lines().find(|line| line.contains(&format!("`{}`", spec.env_name())));
        let row = row.unwrap_or_else(|| panic!("docs/configuration.md does not list {}", spec.env_name()));
        assert!(row.contains(&format!("`{}`", spec.name)), "{row}");
        assert!(row.contains(&format!("`--{}`", spec.flag_name())), "{row}");
        let default = spec.default.map_or("unset".to_owned(), |default| format!("`{default}`"));
        assert!(row.contains(&default), "{row} should say {default}");
    }
}
