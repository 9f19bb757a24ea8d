//! The command line.

mod files;
mod remote;

use std::{ffi::OsString, path::PathBuf};

use clap::{Arg, ArgAction, ArgMatches, Command as Clap, value_parser};

use synapti_protocol::graph_id::GraphId;

use crate::{
    auth::{
        Role,
        claims::{EVERY_GRAPH, SUBJECT_BYTES_MAX},
    },
    commands::{edit::EditRequest, export::ExportRequest, import::ImportRequest, watch::WatchRequest},
    config::{key::KeySpec, table::KEYS},
};

/// Exit code for a command line or a configuration that cannot be used (`EX_USAGE` of sysexits.h).
pub const EXIT_USAGE: u8 = 64;

/// What the program is asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Run the server.
    Serve,
    /// Bring the database to this version's schema and end.
    Migrate,
    /// Look for damage in the database and end; nothing is changed.
    Check,
    /// Print the description of the HTTP API and end.
    Openapi,
    /// Print a token and end.
    Token(TokenRequest),
    /// Show a map of a server, and what happens in it.
    Watch(Box<WatchRequest>),
    /// Edit a map of a server.
    Edit(Box<EditRequest>),
    /// Write a map as a file.
    Export(Box<ExportRequest>),
    /// Make a map from a file.
    Import(Box<ImportRequest>),
}

/// What a token is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// Who holds it.
    pub sub: String,
    /// What people call them.
    pub name: Option<String>,
    /// `user` or `admin`.
    pub role: Option<String>,
    /// Graph id or `*`, and the role there.
    pub graphs: Vec<(String, Role)>,
    /// How long it is good.
    pub expires_in_seconds: u32,
}

/// A command line, understood.
#[derive(Debug)]
pub struct Cli {
    /// What to do.
    pub command: Command,
    /// The configuration file, if one was named.
    pub config_file: Option<PathBuf>,
    /// Settings made by flags; their values are not checked yet.
    pub flags: Vec<(&'static KeySpec, String)>,
}

impl Cli {
    /// Understands the arguments, the program's name first. The error knows its own text and whether it is one:
    /// `--help` and `--version` arrive as "errors" for standard output.
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let args: Vec<OsString> = args.into_iter().collect();
        // Commands that speak to a server have no settings, so that these are not offered there.
        let is_remote = args.get(1).is_some_and(|first| remote::NAMES.iter().any(|name| first == name));
        let grammar = if is_remote { remote::grammar() } else { grammar() };
        let matches = grammar.try_get_matches_from(args)?;
        if let Some(command) = matches.subcommand().and_then(|(name, asked)| remote::command(name, asked)) {
            return Ok(Self { command, config_file: None, flags: Vec::new() });
        }
        let of_files = matches.subcommand().and_then(|(name, asked)| files::command(name, asked)).transpose()?;
        let command = of_files.unwrap_or_else(|| match matches.subcommand() {
            Some(("migrate", _)) => Command::Migrate,
            Some(("check", _)) => Command::Check,
            Some(("openapi", _)) => Command::Openapi,
            Some(("token", asked)) => Command::Token(token_request(asked)),
            _ => Command::Serve,
        });
        // Global flags are known to the subcommand as well, wherever they were written.
        let settings = matches.subcommand().map_or(&matches, |(_, inner)| inner);
        let flags = KEYS.iter().filter_map(|spec| Some((*spec, settings.get_one::<String>(spec.name)?.clone())));
        Ok(Self { command, config_file: settings.get_one("config").cloned(), flags: flags.collect() })
    }
}

/// Shows why there is no [`Cli`], and answers the exit code.
pub fn report(error: &clap::Error) -> u8 {
    // A closed pipe is the reader's business.
    let _ = error.print();
    if error.use_stderr() { EXIT_USAGE } else { 0 }
}

fn grammar() -> Clap {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .global(true)
        .value_parser(value_parser!(PathBuf))
        .help("Configuration file (TOML); environment and flags go before it");
    Clap::new("synapti")
        .about("A server for live mind maps")
        .version(env!("CARGO_PKG_VERSION"))
        .subcommand(Clap::new("serve").about("Run the server (the default)"))
        .subcommand(Clap::new("migrate").about("Create the database or bring it to this version's schema, and end"))
        .subcommand(Clap::new("check").about("Read every map and version, also beside a running server, report damage, and end"))
        .subcommand(Clap::new("openapi").about("Print the OpenAPI description of the HTTP API, and end"))
        .subcommand(token_grammar())
        .subcommands(files::grammars())
        .subcommands(remote::grammars())
        .arg(config)
        .args(KEYS.iter().map(|spec| setting(spec)))
        .after_help(
            "Flags go before environment variables, these before the configuration file, which goes before the defaults.\n\
             Other users of this machine can read flags: keep secrets in the environment or in the file.",
        )
}

fn token_grammar() -> Clap {
    let arg = |name: &'static str, value: &'static str| Arg::new(name).long(name).value_name(value);
    Clap::new("token")
        .about("Print a token that is signed with auth.secret, and end")
        .arg(arg("sub", "ID").required(true).value_parser(subject).help("Who holds it"))
        .arg(arg("name", "NAME").help("What people call them"))
        .arg(arg("role", "ROLE").value_parser(["user", "admin"]).help("admin = owner of every map, and operator"))
        .arg(
            arg("graph", "ID=ROLE")
                .action(ArgAction::Append)
                .value_parser(graph_role)
                .help("Role in a map: owner, editor, commenter or viewer; * = every map; may be repeated"),
        )
        .arg(
            arg("expires-in", "SECONDS")
                .default_value("3600")
                .value_parser(value_parser!(u32).range(1..))
                .help("How long it is good"),
        )
}

fn subject(text: &str) -> Result<String, &'static str> {
    let is_valid = (1..=SUBJECT_BYTES_MAX).contains(&text.len());
    if is_valid { Ok(text.to_owned()) } else { Err("takes 1 to 256 bytes") }
}

fn graph_role(text: &str) -> Result<(String, Role), &'static str> {
    let (graph, role) = text.split_once('=').ok_or("takes ID=ROLE")?;
    if graph != EVERY_GRAPH && GraphId::try_from(graph).is_err() {
        return Err("takes a graph id or * before the =");
    }
    let role = Role::from_name(role).ok_or("takes owner, editor, commenter or viewer after the =")?;
    Ok((graph.to_owned(), role))
}

fn token_request(asked: &ArgMatches) -> TokenRequest {
    let text = |name: &str| asked.get_one::<String>(name).cloned();
    TokenRequest {
        sub: text("sub").unwrap_or_default(),
        name: text("name"),
        role: text("role"),
        graphs: asked.get_many("graph").into_iter().flatten().cloned().collect(),
        expires_in_seconds: asked.get_one("expires-in").copied().unwrap_or_default(),
    }
}

fn setting(spec: &'static KeySpec) -> Arg {
    let default = spec.default.map_or(String::new(), |default| format!(", default: {default}"));
    let arg = Arg::new(spec.name)
        .long(spec.flag_name())
        .value_name("VALUE")
        .global(true)
        .action(ArgAction::Set)
        .help(format!("{} [env: {}{default}]", spec.about, spec.env_name()))
        .help_heading(match spec.section() {
            "history" => "Versions",
            "auth" => "Access",
            "limits" => "Limits (0 = no limit)",
            "ai" => "AI",
            _ => "Settings",
        });
    if spec.switch { arg.num_args(0..=1).require_equals(true).default_missing_value("1") } else { arg }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::parse(std::iter::once("synapti").chain(args.iter().copied()).map(OsString::from))
    }

    fn flags(cli: &Cli) -> Vec<(&str, &str)> {
        cli.flags.iter().map(|(spec, value)| (spec.name, value.as_str())).collect()
    }

    #[test]
    fn the_grammar_is_consistent() {
        grammar().debug_assert();
    }

    #[test]
    fn serve_is_the_default() {
        assert_eq!(parse(&[]).unwrap().command, Command::Serve);
        assert_eq!(parse(&["serve"]).unwrap().command, Command::Serve);
        assert_eq!(parse(&["migrate"]).unwrap().command, Command::Migrate);
        assert_eq!(parse(&["check"]).unwrap().command, Command::Check);
        assert_eq!(parse(&["openapi"]).unwrap().command, Command::Openapi);
    }

    #[test]
    fn a_token_is_described() {
        let Command::Token(least) = parse(&["token", "--sub", "ada"]).unwrap().command else { panic!("it is a token") };
        assert_eq!((least.sub.as_str(), least.expires_in_seconds, least.graphs.len()), ("ada", 3600, 0));
        let args = [
            "token", "--sub", "ada", "--graph", "m=owner", "--graph", "*=viewer", "--role", "admin", "--name", "Ada L",
        ];
        let Command::Token(most) = parse(&args).unwrap().command else { panic!("it is a token") };
        assert_eq!(most.graphs, [("m".to_owned(), Role::Owner), ("*".to_owned(), Role::Viewer)]);
        assert_eq!((most.role.as_deref(), most.name.as_deref()), (Some("admin"), Some("Ada L")));
    }

    #[test]
    fn flags_count_before_and_after_the_command() {
        let after = parse(&["serve", "--listen", "[::1]:1", "--config", "a.toml"]).unwrap();
        let before = parse(&["--listen", "[::1]:1", "--config", "a.toml", "serve"]).unwrap();
        for cli in [after, before] {
            assert_eq!(flags(&cli), [("listen", "[::1]:1")]);
            assert_eq!(cli.config_file, Some(PathBuf::from("a.toml")));
        }
    }

    #[test]
    fn a_switch_stands_alone_or_takes_its_value_after_an_equals_sign() {
        assert_eq!(flags(&parse(&["--auth-open-anywhere", "serve"]).unwrap()), [("auth.open_anywhere", "1")]);
        assert_eq!(flags(&parse(&["--auth-open-anywhere=0"]).unwrap()), [("auth.open_anywhere", "0")]);
    }

    #[test]
    fn mistakes_are_errors_and_help_is_not() {
        for args in [
            &["token"][..],
            &["token", "--sub", ""],
            &["token", "--sub", "ada", "--role", "editor"],
            &["token", "--sub", "ada", "--graph", "m"],
            &["token", "--sub", "ada", "--graph", "m=king"],
            &["token", "--sub", "ada", "--graph", "a b=owner"],
            &["token", "--sub", "ada", "--expires-in", "0"],
            &["--lisen", "x"],
            &["dance"],
            &["--listen"],
            &["serve", "extra"],
        ] {
            assert!(parse(args).unwrap_err().use_stderr(), "{args:?}");
        }
        let help = parse(&["--help"]).unwrap_err();
        assert!(!help.use_stderr());
        let help = help.to_string();
        for spec in KEYS {
            assert!(
                help.contains(&format!("--{}", spec.flag_name())) && help.contains(&spec.env_name()),
                "{}",
                spec.name
            );
        }
        assert!(parse(&["--version"]).unwrap_err().to_string().contains(env!("CARGO_PKG_VERSION")));
    }
}
