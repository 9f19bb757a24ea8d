//! The import rules of the house, kept by reading the sources as text.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A file of ours without its comments, texts and tests, which may do what the code may not.
struct Source {
    /// Path from the root of the project, with `/`.
    path: String,
    code: String,
}

impl Source {
    fn read(root: &Path, file: &Path) -> Self {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
        let text = fs::read_to_string(file).unwrap();
        let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        let code = text[..tests].lines().map(code_of).collect::<Vec<_>>().join("\n");
        Self { path, code }
    }

    /// Lines that hold one of the words as a word of its own.
    fn lines_naming<'a>(&'a self, words: &'a [&str]) -> impl Iterator<Item = String> + 'a {
        self.code.lines().enumerate().filter_map(|(at, line)| {
            let word = words.iter().find(|word| has_word(line, word))?;
            Some(format!("{}:{} names `{word}`: {}", self.path, at + 1, line.trim()))
        })
    }
}

/// A line without comments and without what stands in quotes.
fn code_of(line: &str) -> String {
    let (mut code, mut quoted, mut escaped) = (String::new(), false, false);
    for character in line.replace("'\"'", "").chars() {
        if !quoted && code.ends_with('/') && character == '/' {
            break;
        }
        if character == '"' && !escaped {
            quoted = !quoted;
        } else if !quoted {
            code.push(character);
        }
        escaped = quoted && character == '\\' && !escaped;
    }
    code
}

fn has_word(line: &str, word: &str) -> bool {
    let is_part = |character: Option<char>| character.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word)
        .any(|(at, _)| !is_part(line[..at].chars().next_back()) && !is_part(line[at + word.len()..].chars().next()))
}

fn files_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_under(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// The sources of all crates.
fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
    let mut files = Vec::new();
    for krate in ["protocol", "crdt", "server", "load-tests"] {
        files_under(&root.join(krate).join("src"), &mut files);
    }
    files.sort();
    files.iter().map(|file| Source::read(&root, file)).collect()
}

/// Checks that no file that `applies` names one of the words, and that the rule applies to something.
fn never(rule: &str, words: &[&str], applies: impl Fn(&str) -> bool) {
    let sources: Vec<Source> = sources().into_iter().filter(|source| applies(&source.path)).collect();
    assert!(!sources.is_empty(), "the rule applies to no file any more: {rule}");
    let broken: Vec<String> = sources.iter().flat_map(|source| source.lines_naming(words)).collect();
    assert!(broken.is_empty(), "{rule}\n{}", broken.join("\n"));
}

fn within(path: &str, places: &[&str]) -> bool {
    places.iter().any(|place| path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || place.ends_with('/')))
}

#[test]
fn protocol_stands_alone() {
    let words = ["synapti_crdt", "synapti_server", "tokio", "yrs", "std::net", "std::fs"];
    never("`protocol` is wire formats only: no other crate of ours, no runtime, no CRDT, no I/O", &words, |path| {
        within(path, &["protocol/"])
    });
}

#[test]
fn crdt_stands_on_protocol_alone() {
    let words = ["synapti_server", "tokio", "async", "std::time", "jiff", "rand"];
    never("`crdt` imports no crate of ours but `protocol`, and has no async, clock or randomness", &words, |path| {
        within(path, &["crdt/"])
    });
}

#[test]
fn only_crdt_names_yrs() {
    never("only `crdt` names yrs", &["yrs"], |path| !within(path, &["crdt/"]));
}

#[test]
fn load_tests_know_the_server_only_by_its_socket() {
    never("`load-tests` never imports the server", &["synapti_server"], |path| within(path, &["load-tests/"]));
}

#[test]
fn what_a_room_decides_is_pure() {
    let words = ["tokio", "sqlx", "axum", "SharedStore", "Journal", "Instant", "SystemTime", "rand"];
    let rule = "the room's decisions are a pure function of what they are told: no runtime, backend, clock or chance";
    never(rule, &words, |path| {
        let pure = ["server/src/room/state/", "server/src/room/presence.rs", "server/src/room/reads.rs"];
        within(path, &pure)
    });
}

#[test]
fn sessions_know_rooms_and_neither_store_nor_bus() {
    never("`session` never imports the store, the journal or the bus", &["store", "journal", "bus", "sqlx"], |path| {
        within(path, &["server/src/session/"])
    });
}

#[test]
fn only_transport_and_http_name_axum() {
    never("only `transport/`, `http/` and `app` name axum", &["axum"], |path| {
        // The relay that the server is held against is no part of it.
        let places = ["server/src/transport/", "server/src/http/", "server/src/app.rs", "load-tests/src/relay/"];
        !within(path, &places)
    });
}

#[test]
fn only_the_store_names_databases() {
    never("only `store/` names sqlx and rusqlite", &["sqlx", "rusqlite"], |path| !within(path, &["server/src/store/"]));
}

#[test]
fn only_the_bus_over_redis_names_redis() {
    let words = ["use redis", "redis::cmd", "redis::Cmd", "redis::Client", "redis::Value", "redis::RedisResult"];
    never("only `bus/redis/` names the library that speaks to Redis", &words, |path| {
        !within(path, &["server/src/bus/redis/"])
    });
}

#[test]
fn only_the_app_picks_a_backend() {
    let places = ["server/src/store/", "server/src/app.rs", "server/src/main.rs", "server/src/cli.rs"];
    never("only `app` and the commands of `main` pick a backend", &["SqliteStore", "PostgresStore"], |path| {
        !within(path, &places)
    });
    never("only `app` picks a bus", &["RedisBus"], |path| !within(path, &["server/src/bus/", "server/src/app/"]));
}

#[test]
fn clients_know_a_server_only_by_its_addresses() {
    let words =
        ["crate::store", "crate::room", "crate::hub", "crate::journal", "crate::session", "crate::bus", "crate::app"];
    never("`remote` and `commands` import nothing of a server's inside", &words, |path| {
        within(path, &["server/src/remote/", "server/src/commands/"])
    });
}

#[test]
fn only_main_and_config_read_the_environment() {
    let words = ["env::var", "env::vars", "env::var_os", "env::vars_os", "env::args", "env::args_os"];
    never("only `main` and `config` read the environment", &words, |path| {
        // A measurement hands its environment on to the server that it starts, without what would configure it.
        !within(path, &["server/src/main.rs", "server/src/config/", "load-tests/"])
    });
}

#[test]
fn only_the_clock_asks_what_time_it_is() {
    let words = ["Timestamp::now", "SystemTime::now", "Zoned::now", "clock::now"];
    never("the time comes from a `Clock` that was handed in", &words, |path| !within(path, &["server/src/clock.rs"]));
}

#[test]
fn a_broken_rule_is_found_and_a_comment_or_text_is_not() {
    let source = |code: &str| Source { path: "a.rs".into(), code: code_of(code) };
    assert_eq!(source("use yrs::Doc;").lines_naming(&["yrs"]).count(), 1);
    assert_eq!(source("use yrs_kit::Doc; // yrs").lines_naming(&["yrs"]).count(), 0);
    assert_eq!(source("let rule = \"no \\\"yrs\";").lines_naming(&["yrs"]).count(), 0);
    assert_eq!(source("let url = \"http://x\"; std::env::var(\"X\")").lines_naming(&["env::var"]).count(), 1);
    assert!(within("server/src/app.rs", &["server/src/app.rs"]));
    assert!(!within("server/src/app.rs.rs", &["server/src/app.rs"]));
}
