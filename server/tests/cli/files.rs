//! `synapti export` and `synapti import`.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use synapti_server::{auth::mint::NewToken, clock::Clock};

use super::EXIT_USAGE;

const SECRET: &str = "correct horse battery staple 0123456789";
const OUTLINE: &str = "# Bees\n\nThey fly.\n\n- Hive\n  - Wax\n- Honey\n\n---\n\n<!-- cross links -->\n\n- [Wax](#1.1.1) → [Honey](#1.2): holds `0.5`\n";

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        fs::write(place.file("bees.md"), OUTLINE).unwrap();
        place
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run_with(&self, args: &[&str], env: &[(&str, &str)], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_synapti"))
            .env_clear()
            .envs([("SYNAPTI_DATABASE_URL", "sqlite:maps.db"), ("SYNAPTI_LOG", "warn")])
            .envs(env.iter().copied())
            .current_dir(self.folder.path())
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // It may end without reading all of it.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    /// What it prints.
    fn run(&self, args: &[&str]) -> String {
        done(&self.run_with(args, &[], ""))
    }

    /// What it says when it fails, with nothing on standard output.
    fn fail(&self, args: &[&str], code: i32) -> String {
        refused(&self.run_with(args, &[], ""), code)
    }
}

fn done(output: &Output) -> String {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), said.as_ref()), (Some(0), ""));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn refused(output: &Output, code: i32) -> String {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), output.stdout.len()), (Some(code), 0), "{said}");
    said
}

/// A running server; ends with the test.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path, env: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_synapti"))
            .env_clear()
            .envs([
                ("SYNAPTI_LISTEN", "127.0.0.1:0"),
                ("SYNAPTI_DATABASE_URL", "sqlite:maps.db"),
                ("SYNAPTI_LOG", "info"),
            ])
            .envs(env.iter().copied())
            .current_dir(folder)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let url = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "it ended before it listened");
            let line: serde_json::Value = serde_json::from_str(&line).unwrap();
            if line["message"] == "listening" {
                break format!("http://{}", line["address"].as_str().unwrap());
            }
        };
        // So that it never waits for somebody to read; ends with the server.
        std::thread::spawn(move || stderr.read_to_end(&mut Vec::new()));
        Self { child, url }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_map_goes_into_the_database_and_out_again() {
    let place = Place::new();
    assert_eq!(place.run(&["import", "bees.md", "--id", "bees"]), "bees\n");
    assert_eq!(place.run(&["export", "bees", "--format", "markdown"]), OUTLINE);
    assert_eq!(place.run(&["export", "bees", "--output", "out.md"]), "");
    assert_eq!(fs::read_to_string(place.file("out.md")).unwrap(), OUTLINE);
    let json = place.run(&["export", "bees"]);
    assert_eq!(place.run(&["export", "bees", "-o", "out.json"]), "");
    assert_eq!(fs::read_to_string(place.file("out.json")).unwrap(), json.trim_end());
    assert!(!place.file("out.json.part").exists());

    // The file's id is taken, so there is another one.
    let copy = place.run(&["import", "out.json"]);
    assert_eq!(copy.trim_end().len(), 36);
    assert_eq!(place.run(&["export", copy.trim_end(), "--format", "markdown"]), OUTLINE);
    let from_stdin = done(&place.run_with(&["import", "-", "--format", "markdown"], &[], "# Ants\n"));
    assert!(place.run(&["export", from_stdin.trim_end()]).contains("\"topic\":\"Ants\""));
    assert!(place.run(&["check"]).starts_with("checked 3 maps"));
}

#[test]
fn mistakes_are_told_and_change_nothing() {
    let place = Place::new();
    assert!(place.fail(&["export", "bees"], 1).contains("there is no database at"));
    fs::write(place.file("bad.json"), r#"{"nodes": [{"id": "a"}, {"title": 1, "id": "a"}]}"#).unwrap();
    let told = place.fail(&["import", "bad.json"], 1);
    for line in ["nodes[0].title: is missing", "nodes[1].title: must be text", "nodes[1].id: `a`"] {
        assert!(told.contains(line), "{told}");
    }
    assert!(!place.file("maps.db").exists(), "the file is read first");
    assert!(place.fail(&["import", "missing.md"], 1).contains("missing.md"));

    place.run(&["import", "bees.md", "--id", "bees"]);
    assert!(place.fail(&["import", "bees.md", "--id", "bees"], 1).contains("--id"));
    assert!(place.fail(&["export", "wasps"], 1).contains("no map `wasps`"));
    assert!(place.fail(&["export", "bees", "-o", "no/such/folder.md"], 1).contains("no/such/folder.md"));
    let small = place.run_with(&["import", "bees.md"], &[("SYNAPTI_LIMITS_NODES_MAX", "3")], "");
    assert!(refused(&small, 1).contains("more than 3 nodes"));

    for (args, words) in [
        (&["import", "-"][..], "--format"),
        (&["import", "map.xyz"], "--format"),
        (&["import", "bees.md", "--id", "a b"], "--id"),
        (&["import", "bees.md", "--format", "pdf"], "json"),
        (&["import", "bees.md", "--to", "ftp://x"], "http://"),
        (&["export"], "GRAPH|URL"),
        (&["export", "a b"], "GRAPH|URL"),
        (&["export", "http://h/nothing"], "names no map"),
    ] {
        assert!(place.fail(args, EXIT_USAGE).contains(words), "{args:?}");
    }
}

#[test]
fn beside_a_server_the_database_is_read_and_not_written() {
    let place = Place::new();
    place.run(&["import", "bees.md", "--id", "bees"]);
    let server = Server::start(place.folder.path(), &[]);
    assert_eq!(place.run(&["export", "bees", "--format", "markdown"]), OUTLINE);
    let told = place.fail(&["import", "bees.md"], 1);
    assert!(told.contains("in use") && told.contains("--to URL"), "{told}");

    let made = place.run(&["import", "bees.md", "--id", "more", "--to", &server.url]);
    assert_eq!(made, format!("{}/m/more\n", server.url));
    for address in ["/m/more", "/v1/graphs/more"].map(|path| format!("{}{path}", server.url)) {
        assert_eq!(place.run(&["export", &address, "--format", "markdown"]), OUTLINE);
    }
    let socket = format!("{}/v1/ws/more", server.url.replace("http:", "ws:"));
    assert!(place.run(&["export", &socket]).contains("\"id\":\"more\""));
    assert!(place.fail(&["import", "bees.md", "--id", "more", "--to", &server.url], 1).contains("409"));
    fs::write(place.file("bad.json"), r#"{"nodes": [{"id": "a"}]}"#).unwrap();
    assert!(place.fail(&["import", "bad.json", "--to", &server.url], 1).contains("nodes[0].title: is missing"));
    assert!(place.fail(&["export", &format!("{}/m/none", server.url)], 1).contains("404"));
}

#[test]
fn a_guarded_server_wants_the_token_of_the_environment() {
    let place = Place::new();
    let server =
        Server::start(place.folder.path(), &[("SYNAPTI_AUTH_MODE", "required"), ("SYNAPTI_AUTH_SECRET", SECRET)]);
    let args = ["import", "bees.md", "--id", "bees", "--to", &server.url];
    assert!(place.fail(&args, 1).contains("401"));
    let mut token = NewToken::new("ada", Clock::system().now(), 600);
    token.role = Some("admin".to_owned());
    let token = token.sign(SECRET);
    let with_token = |args: &[&str]| place.run_with(args, &[("SYNAPTI_TOKEN", &token)], "");
    done(&with_token(&args));
    let address = format!("{}/m/bees", server.url);
    assert_eq!(done(&with_token(&["export", &address, "--format", "markdown"])), OUTLINE);
    assert!(place.fail(&["export", &address], 1).contains("401"));
    assert!(!refused(&with_token(&args), 1).contains(&token), "it is never shown");
}
