//! The grammar of the commands that speak to a server. They know no settings: what is in this machine's configuration is
//! another server's business.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command as Clap, value_parser};

use super::Command;
use crate::{
    commands::{
        edit::{EditRequest, Input, Operation, Task},
        watch::{Format, WatchRequest},
    },
    remote::{Choice, Transport, url::MapUrl},
};

const AFTER_HELP: &str = "URL: http(s)://HOST:PORT/m/ID, …/v1/graphs/ID, ws(s)://HOST:PORT/v1/ws/ID or HOST:PORT/ID.\n\
    A token is taken from the environment variable SYNAPTI_TOKEN, never from the command line.";

/// The names of the commands.
pub(super) const NAMES: [&str; 2] = ["watch", "edit"];

/// Their grammars.
pub(super) fn grammars() -> [Clap; 2] {
    [watch_grammar(), edit_grammar()]
}

/// A grammar that knows nothing else.
pub(super) fn grammar() -> Clap {
    Clap::new("synapti").version(env!("CARGO_PKG_VERSION")).subcommand_required(true).subcommands(grammars())
}

/// What was asked for.
pub(super) fn command(name: &str, asked: &ArgMatches) -> Option<Command> {
    match name {
        "watch" => Some(Command::Watch(Box::new(watch_request(asked)?))),
        "edit" => Some(Command::Edit(Box::new(edit_request(asked)?))),
        _ => None,
    }
}

fn watch_grammar() -> Clap {
    shared(Clap::new("watch"))
        .about("Show a map of a server, and what happens in it, until Ctrl-C")
        .arg(
            Arg::new("format")
                .long("format")
                .value_name("FORMAT")
                .default_value("text")
                .value_parser(["text", "json", "updates"])
                .help("Lines for people, one JSON object for each line, or one Yjs update (base64) for each line"),
        )
        .arg(Arg::new("once").long("once").action(ArgAction::SetTrue).help("Show the map as it is, and end"))
        .after_help(AFTER_HELP)
}

fn edit_grammar() -> Clap {
    let id = || text("id", "ID").help("The node; `synapti watch URL --once` shows their ids");
    shared(Clap::new("edit"))
        .about("Edit a map of a server, and end when the edit is on its disk")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Clap::new("add")
                .about("Add a node, and print its id")
                .arg(text("title", "TITLE"))
                .arg(option("parent", "ID").help("What it hangs under; the root if this is left out"))
                .arg(option("summary", "TEXT").help("Its summary"))
                .arg(option("id", "ID").help("Its id; a fresh one if this is left out")),
        )
        .subcommand(Clap::new("rename").about("Give a node another title").arg(id()).arg(text("title", "TITLE")))
        .subcommand(Clap::new("summary").about("Give a node another summary").arg(id()).arg(text("text", "TEXT")))
        .subcommand(
            Clap::new("move")
                .about("Hang a node, with its branch, under another one")
                .arg(id())
                .arg(option("under", "ID").required(true).help("The other one")),
        )
        .subcommand(Clap::new("remove").about("Remove a node, with its branch").arg(id()))
        .subcommand(Clap::new("topic").about("Say what the map is about").arg(text("text", "TEXT")))
        .subcommand(Clap::new("apply").about("Apply a Yjs update (v1, raw bytes)").arg(text("file", "FILE|-")))
        .subcommand(
            Clap::new("script")
                .about("Carry out one JSON object for each line, and acknowledge each on standard output")
                .arg(text("file", "FILE|-"))
                .after_help(
                    "{\"op\":\"add\",\"title\":\"…\",\"parent\":\"…\",\"summary\":\"…\",\"id\":\"…\"}\n\
                     {\"op\":\"rename\",\"id\":\"…\",\"title\":\"…\"}\n\
                     {\"op\":\"summary\",\"id\":\"…\",\"text\":\"…\"}\n\
                     {\"op\":\"move\",\"id\":\"…\",\"under\":\"…\"}\n\
                     {\"op\":\"remove\",\"id\":\"…\"}\n\
                     {\"op\":\"topic\",\"text\":\"…\"}",
                ),
        )
        .after_help(AFTER_HELP)
}

/// What both commands take.
fn shared(command: Clap) -> Clap {
    command
        .arg(Arg::new("url").value_name("URL").required(true).value_parser(MapUrl::parse).help("The map's address"))
        .arg(
            Arg::new("transport")
                .long("transport")
                .value_name("TRANSPORT")
                .default_value("auto")
                .value_parser(["auto", "ws", "sse", "poll"])
                .help("How to connect; auto = WebSocket, else events, else polling"),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("SECONDS")
                .default_value("10")
                .value_parser(value_parser!(u64).range(1..=86_400))
                .help("How long to wait for the server"),
        )
}

/// A text that may begin with a hyphen.
fn text(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).value_name(value).required(true).allow_hyphen_values(true)
}

fn option(name: &'static str, value: &'static str) -> Arg {
    Arg::new(name).long(name).value_name(value)
}

fn watch_request(asked: &ArgMatches) -> Option<WatchRequest> {
    let format = match asked.get_one::<String>("format")?.as_str() {
        "json" => Format::Json,
        "updates" => Format::Updates,
        _ => Format::Text,
    };
    let (map, choice, timeout) = shared_request(asked)?;
    Some(WatchRequest { map, format, once: asked.get_flag("once"), choice, timeout })
}

fn edit_request(asked: &ArgMatches) -> Option<EditRequest> {
    let (map, choice, timeout) = shared_request(asked)?;
    let (name, asked) = asked.subcommand()?;
    let optional = |name: &str| asked.get_one::<String>(name).cloned();
    let text = |name: &str| optional(name).unwrap_or_default();
    let task = match name {
        "apply" => Task::Apply(Input::parse(&text("file"))),
        "script" => Task::Script(Input::parse(&text("file"))),
        "add" => Task::Operation(Operation::Add {
            title: text("title"),
            parent: optional("parent"),
            summary: optional("summary"),
            id: optional("id"),
        }),
        "rename" => Task::Operation(Operation::Rename { id: text("id"), title: text("title") }),
        "summary" => Task::Operation(Operation::Summary { id: text("id"), summary: text("text") }),
        "move" => Task::Operation(Operation::Move { id: text("id"), parent: text("under") }),
        "remove" => Task::Operation(Operation::Remove { id: text("id") }),
        _ => Task::Operation(Operation::Topic { topic: text("text") }),
    };
    Some(EditRequest { map, choice, timeout, task })
}

fn shared_request(asked: &ArgMatches) -> Option<(MapUrl, Choice, Duration)> {
    let choice = match asked.get_one::<String>("transport")?.as_str() {
        "ws" => Choice::Only(Transport::Ws),
        "sse" => Choice::Only(Transport::Sse),
        "poll" => Choice::Only(Transport::Poll),
        _ => Choice::Auto,
    };
    let timeout = Duration::from_secs(*asked.get_one::<u64>("timeout")?);
    Some((asked.get_one::<MapUrl>("url")?.clone(), choice, timeout))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::Cli;

    const URL: &str = "localhost:8080/my-map";

    fn parse(args: &[&str]) -> Result<Command, clap::Error> {
        Cli::parse(std::iter::once("synapti").chain(args.iter().copied()).map(OsString::from)).map(|cli| cli.command)
    }

    #[test]
    fn the_grammar_is_consistent() {
        grammar().debug_assert();
    }

    #[test]
    fn watching_is_understood() {
        let Command::Watch(least) = parse(&["watch", URL]).unwrap() else { panic!("it watches") };
        assert_eq!((least.format, least.once, least.choice), (Format::Text, false, Choice::Auto));
        let args = ["watch", URL, "--format", "json", "--once", "--transport", "poll", "--timeout", "3"];
        let Command::Watch(most) = parse(&args).unwrap() else { panic!("it watches") };
        assert_eq!((most.format, most.once, most.choice), (Format::Json, true, Choice::Only(Transport::Poll)));
        assert_eq!((most.timeout, most.map.graph().as_str()), (Duration::from_secs(3), "my-map"));
    }

    #[test]
    fn edits_are_understood() {
        let task = |args: &[&str]| {
            let args: Vec<&str> = ["edit", URL, "--transport", "sse"].into_iter().chain(args.iter().copied()).collect();
            let Command::Edit(request) = parse(&args).unwrap() else { panic!("it edits") };
            assert_eq!(request.choice, Choice::Only(Transport::Sse));
            request.task
        };
        let owned = |text: &str| text.to_owned();
        let add = Operation::Add { title: owned("- T"), parent: Some(owned("p")), summary: None, id: Some(owned("i")) };
        assert_eq!(task(&["add", "- T", "--parent", "p", "--id", "i"]), Task::Operation(add));
        let rename = Operation::Rename { id: owned("i"), title: owned("-t") };
        assert_eq!(task(&["rename", "i", "-t"]), Task::Operation(rename));
        let moved = Operation::Move { id: owned("i"), parent: owned("p") };
        assert_eq!(task(&["move", "i", "--under", "p"]), Task::Operation(moved));
        assert_eq!(task(&["topic", ""]), Task::Operation(Operation::Topic { topic: String::new() }));
        assert_eq!(task(&["script", "-"]), Task::Script(Input::Stdin));
        assert_eq!(task(&["apply", "a.bin"]), Task::Apply(Input::File("a.bin".into())));
    }

    #[test]
    fn mistakes_are_told_and_settings_are_not_taken() {
        for (args, word) in [
            (&["watch"][..], "URL"),
            (&["watch", "my-map"], "http://"),
            (&["watch", "http://h/m/x#token=hunter2"], "SYNAPTI_TOKEN"),
            (&["watch", URL, "--format", "xml"], "updates"),
            (&["watch", URL, "--transport", "pigeon"], "poll"),
            (&["watch", URL, "--timeout", "0"], "0"),
            (&["watch", URL, "--token", "x"], "--token"),
            (&["watch", URL, "--listen", "x"], "--listen"),
            (&["edit", URL, "dance"], "dance"),
            (&["edit", URL, "move", "a"], "--under"),
        ] {
            let error = parse(args).unwrap_err();
            assert!(error.use_stderr() && error.to_string().contains(word), "{args:?}: {error}");
        }
        let help = parse(&["watch", "--help"]).unwrap_err().to_string();
        assert!(help.contains("SYNAPTI_TOKEN") && !help.contains("--listen"), "{help}");
        assert!(parse(&["--help"]).unwrap_err().to_string().contains("watch"));
    }
}
