//! `synapti watch` and `synapti edit` as people and scripts use them.

use std::net::TcpListener;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use synapti_crdt::{
    AsideLimits, Op, Replica,
    map::{MapEdit, NewNode},
};
use synapti_server::auth::Role;

use crate::{
    played::{Manners, Proxy},
    program::{Watching, fed, ran, synapti},
    support::{Running, token},
};

const FAILED: i32 = 1;
const USAGE: i32 = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_is_watched_in_words_while_it_is_edited() {
    let server = Running::start(&[]).await;
    let url = format!("http://{}/m/bees", server.address);
    let mut watching = Watching::start(&["watch", &url]);
    assert_eq!(watching.line().await, "(the map is empty)");
    for (args, line) in [
        (&["topic", "Bees"][..], "~ topic: \"Bees\""),
        (&["add", "Bees", "--id", "root"], "+ \"Bees\" as the root"),
        (&["--transport", "sse", "add", "Wax", "--id", "wax"], "+ \"Wax\" under \"Bees\""),
        (&["add", "Honey", "--id", "honey", "--parent", "root"], "+ \"Honey\" under \"Bees\""),
        (&["--transport", "poll", "rename", "wax", "Comb\u{1b}[2J"], "~ \"Wax\" → \"Comb\\u{1b}[2J\""),
        (&["summary", "honey", "sweet"], "~ \"Honey\" summary: \"sweet\""),
        (&["move", "wax", "--under", "honey"], "> \"Comb\\u{1b}[2J\" moved, now under \"Honey\""),
        (&["remove", "wax"], "- \"Comb\\u{1b}[2J\""),
    ] {
        let args: Vec<&str> = ["edit", &url].into_iter().chain(args.iter().copied()).collect();
        let (code, said, error) = ran(&mut synapti(&args)).await;
        assert_eq!((code, error.as_str()), (0, ""), "{args:?}");
        assert_eq!(watching.line().await, line);
        let printed = if args.contains(&"add") {
            format!("{}\n", args[args.len() - usize::from(args.contains(&"--parent")) * 2 - 1])
        } else {
            String::new()
        };
        assert_eq!(said, printed, "only a new node's id is printed");
    }
    watching.signal("INT");
    assert_eq!(watching.ended().await, 0);
    let (code, shown, _) = ran(&mut synapti(&["watch", &url, "--once"])).await;
    assert_eq!((code, shown.as_str()), (0, "# Bees\n- Bees [root]\n  - Honey [honey]\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_is_watched_as_json_and_as_updates() {
    let server = Running::start(&[]).await;
    let url = format!("{}/bees", server.address);
    let mut json = Watching::start(&["watch", &url, "--format", "json", "--transport", "sse"]);
    assert_eq!(json.json().await, serde_json::json!({"event": "transport", "transport": "sse"}));
    let synced = json.json().await;
    assert_eq!((&synced["event"], &synced["graph"]["id"]), (&"synced".into(), &"bees".into()));
    let script = concat!(
        r#"{"op":"add","title":"Bees","id":"root"}"#,
        "\n\n",
        r#"{"op":"add","title":"Wax","id":"root"}"#,
        "\n",
        r#"{"op":"add","title":"Wax","id":"wax","parent":"root"}"#,
        "\n",
        r#"{"op":"move","id":"wax","under":"nowhere"}"#,
        "\n",
        "rubbish\n",
        r#"{"op":"rename","id":"wax","title":"Comb"}"#,
    );
    for transport in ["ws", "poll"] {
        let (code, answers, error) =
            fed(&mut synapti(&["edit", &url, "--transport", transport, "script", "-"]), script.as_bytes()).await;
        let answers: Vec<serde_json::Value> = answers.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let lines: Vec<u64> = answers.iter().map(|answer| answer["line"].as_u64().unwrap()).collect();
        assert_eq!((code, lines), (FAILED, vec![1, 3, 4, 5, 6, 7]), "{error}");
        if transport == "ws" {
            assert_eq!(answers[0], serde_json::json!({"line": 1, "ok": true, "id": "root", "durable": true}));
            assert!(answers[1]["error"].as_str().unwrap().contains("`root` exists already"));
            assert!(answers[3]["error"].as_str().unwrap().contains("`nowhere`"));
            assert!(error.contains("3 of 6 lines were not carried out"), "{error}");
        } else {
            assert!(error.contains("4 of 6 lines") || error.contains("5 of 6 lines"), "{error}");
        }
    }
    let mut events = Vec::new();
    while events.last().is_none_or(|(_, title)| title != "Comb") {
        let event = json.json().await;
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        events.push((text(&event["event"]), text(&event["node"]["title"])));
    }
    assert_eq!(events[0], ("added".to_owned(), "Bees".to_owned()));

    let (code, line, _) = ran(&mut synapti(&["watch", &url, "--once", "--format", "updates"])).await;
    let mut copy = Replica::new(1, AsideLimits::default());
    let update = STANDARD.decode(line.trim_end()).unwrap();
    copy.apply([Op::Update { update: &update, from: synapti_crdt::Sender::default() }], 0);
    assert_eq!((code, copy.node_count()), (0, 2));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &update).unwrap();
    let other = format!("{}/copy", server.address);
    let path = file.path().to_str().unwrap();
    assert_eq!(ran(&mut synapti(&["edit", &other, "apply", path])).await, (0, String::new(), String::new()));
    let (code, _, said) = ran(&mut synapti(&["edit", &other, "apply", path])).await;
    assert!(code == 0 && said.contains("has all of this update already"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn watching_ends_quietly_when_nobody_reads_any_more() {
    let server = Running::start(&[]).await;
    let mut watching = Watching::start(&["watch", &format!("{}/bees", server.address)]);
    assert_eq!(watching.line().await, "(the map is empty)");
    let Watching { child, lines } = watching;
    drop(lines);
    let ended = crate::support::soon("the program ends", child.wait_with_output()).await.unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), said.as_str()), (Some(0), "synapti: connected (ws)\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_done_is_said_and_ends_with_1() {
    let server = Running::start(&[]).await;
    let url = format!("{}/bees", server.address);
    let nowhere = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("{}/bees", listener.local_addr().unwrap())
    };
    for (args, words) in [
        (&["edit", &url, "rename", "nope", "x"][..], "there is no node `nope`; nothing was changed"),
        (&["edit", &url, "add", "x", "--parent", "nope"], "there is no node `nope` to be the parent"),
        (&["edit", &url, "apply", "/no/such/file"], "cannot read /no/such/file"),
        (&["edit", &url, "script", "/"], "it is a folder"),
        (
            &["edit", &nowhere, "--timeout", "1", "topic", "x"],
            "no connection within 1 seconds (--timeout): cannot connect to",
        ),
        (&["watch", &nowhere, "--timeout", "1"], "no connection within 1 seconds"),
    ] {
        let (code, out, said) = ran(&mut synapti(args)).await;
        assert_eq!((code, out.as_str()), (FAILED, ""), "{args:?}: {said}");
        assert!(said.contains(words), "{args:?}: {said}");
    }
    let (code, _, said) = fed(&mut synapti(&["edit", &url, "apply", "-"]), b"rubbish").await;
    assert!(code == FAILED && said.contains("malformed update"), "{said}");
    let mut author = Replica::new(9, AsideLimits::default());
    author.apply([Op::Edit(&MapEdit::AddNode(NewNode::new("a", "a")))], 0);
    let later = author.apply([Op::Edit(&MapEdit::AddNode(NewNode::new("b", "b")))], 0).update.unwrap();
    let (code, _, said) = fed(&mut synapti(&["edit", &url, "apply", "-"]), &later).await;
    assert!(code == FAILED && said.contains("does not have") && said.contains("nothing was changed"), "{said}");
    let (_, shown, _) = ran(&mut synapti(&["watch", &url, "--once"])).await;
    assert_eq!(shown, "(the map is empty)\n");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edit_that_is_not_confirmed_in_time_is_not_called_saved() {
    let server = Running::start(&[]).await;
    let proxy = Proxy::before(server.address, Manners { swallows_edits: true, ..Manners::default() }).await;
    let url = format!("{}/bees", proxy.address);
    let args = ["edit", &url, "--transport", "sse", "--timeout", "1"];
    let (code, out, said) = ran(synapti(&args).args(["add", "x"])).await;
    assert_eq!((code, out.as_str()), (FAILED, ""));
    assert!(said.contains("not saved within 1 seconds (--timeout)") && said.contains("may still reach"), "{said}");
    let (code, out, _) = fed(synapti(&args).args(["script", "-"]), br#"{"op":"add","title":"x"}"#).await;
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &answer["ok"], &answer["durable"]), (FAILED, &false.into(), &false.into()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_comes_from_the_environment_and_is_never_shown() {
    let server = Running::guarded().await;
    let url = format!("{}/bees", server.address);
    let (code, _, said) = ran(&mut synapti(&["watch", &url, "--once"])).await;
    let end = "(4401); put a token that is good for this map into the environment variable SYNAPTI_TOKEN\n";
    assert!(code == FAILED && said.ends_with(end) && !said.contains("connected"), "{said}");
    let (owner, viewer) = (token(Role::Owner), token(Role::Viewer));
    for transport in ["ws", "sse", "poll"] {
        let args = ["edit", &url, "--transport", transport, "topic"];
        let trace = |token: &str, topic: &str| {
            let mut command = synapti(&args);
            command.arg(format!("{topic} {transport}")).env("SYNAPTI_TOKEN", token).env("SYNAPTI_LOG", "trace");
            command
        };
        let (code, out, said) = ran(&mut trace(&owner, "mine")).await;
        assert!(code == 0 && !out.contains(&owner) && !said.contains(&owner), "{said}");
        let (code, _, said) = ran(&mut trace(&viewer, "theirs")).await;
        assert!(code == FAILED && !said.contains(&viewer), "{said}");
        assert!(said.contains("read-only") || said.contains("403"), "{said}");
    }
    let (code, _, said) = ran(synapti(&["watch", &url]).env("SYNAPTI_TOKEN", "hunter 2")).await;
    assert!(code == USAGE && said.contains("SYNAPTI_TOKEN") && !said.contains("hunter"), "{said}");
    let (code, _, said) = ran(&mut synapti(&["watch", "http://h/m/x#token=hunter2"])).await;
    assert!(code == USAGE && said.contains("SYNAPTI_TOKEN"), "{said}");
}
