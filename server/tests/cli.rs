//! The program as a user types it: what it prints, and with which code it ends.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    fs,
    process::{Command, Output},
};

const EXIT_USAGE: i32 = 64;

fn synapti(args: &[&str], env: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    Command::new(env!("CARGO_BIN_EXE_synapti"))
        .env_clear()
        .envs(env.iter().copied())
        .current_dir(folder.path())
        .args(args)
        .output()
        .unwrap()
}

fn refused(args: &[&str], env: &[(&str, &str)]) -> String {
    let output = synapti(args, env);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(EXIT_USAGE), "{args:?} {env:?}: {message}");
    assert!(output.stdout.is_empty());
    message
}

#[test]
fn usage_errors_end_with_64() {
    assert!(refused(&["--lisen", "x"], &[]).contains("--listen"));
    assert!(refused(&["dance"], &[]).contains("dance"));
    assert!(refused(&["serve", "--listen"], &[]).contains("--listen"));
    assert!(refused(&["--listen", "nowhere"], &[]).contains("--listen: `nowhere`"));
    assert!(refused(&["--config", "missing.toml"], &[]).contains("missing.toml"));
}

#[test]
fn bad_configuration_ends_with_64_whatever_the_command() {
    for command in ["serve", "migrate"] {
        assert!(refused(&[command], &[("SYNAPTI_LISTEN", "nowhere")]).contains("SYNAPTI_LISTEN: `nowhere`"));
    }
    assert!(refused(&[], &[("SYNAPTI_LISTN", "127.0.0.1:0")]).contains("did you mean `SYNAPTI_LISTEN`?"));
    assert!(refused(&[], &[("SYNAPTI_LOG", "verbose")]).contains("SYNAPTI_LOG"));
    assert!(refused(&[], &[("SYNAPTI_AUTH_MODE", "required")]).contains("not part of this version"));
    assert!(refused(&[], &[("SYNAPTI_REDIS_URL", "redis://localhost")]).contains("not part of this version"));
    assert!(refused(&["--listen", "0.0.0.0:0"], &[]).contains("SYNAPTI_AUTH_OPEN_ANYWHERE"));
}

#[test]
fn a_bad_file_is_named_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("my.toml");
    fs::write(&path, "[limits]\nmax_conections = 5\n").unwrap();
    let message = refused(&["--config", path.to_str().unwrap()], &[]);
    assert!(message.contains("my.toml") && message.contains("did you mean `limits.max_connections`?"), "{message}");
}

#[test]
fn help_version_and_openapi_need_no_configuration() {
    for args in [&["--help"][..], &["serve", "--help"], &["--version"], &["openapi"]] {
        let output = synapti(args, &[("SYNAPTI_LISTEN", "nowhere")]);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{args:?}");
    }
    let description: serde_json::Value = serde_json::from_slice(&synapti(&["openapi"], &[]).stdout).unwrap();
    assert!(description["paths"]["/v1/graphs"]["post"].is_object());
}

#[test]
fn a_database_that_cannot_be_reached_ends_with_1_and_no_password() {
    for command in ["serve", "migrate"] {
        let output = synapti(&[command], &[("SYNAPTI_DATABASE_URL", "postgres://user:hunter2@127.0.0.1:1/maps")]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("nobody answers at 127.0.0.1:1") && !said.contains("hunter2"), "{said}");
    }
}

#[test]
fn migrate_makes_a_database_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("deep/maps.db");
    let url = format!("sqlite:{}", file.display());
    for _ in 0..2 {
        let output = synapti(&["migrate", "--database-url", &url], &[]);
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert!(String::from_utf8(output.stdout).unwrap().contains("schema version"));
    }
    assert!(file.exists());
}
