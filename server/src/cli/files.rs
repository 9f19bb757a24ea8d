//! The grammar of the commands that export and import maps.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgMatches, Command as Clap, error::ErrorKind, value_parser};
use synapti_crdt::map::Format;
use synapti_protocol::graph_id::GraphId;

use super::Command;
use crate::{
    commands::{
        edit::Input,
        export::{ExportRequest, Place},
        import::ImportRequest,
    },
    remote::url::{MapUrl, ServerUrl},
};

const AFTER_HELP: &str = "Formats: json (everything) and markdown (an outline); without --format the file's ending decides.\n\
    URL: http(s)://HOST:PORT/m/ID, …/v1/graphs/ID or ws(s)://HOST:PORT/v1/ws/ID. A token for it is taken from the environment\n\
    variable SYNAPTI_TOKEN, never from the command line. Without a URL it is the database that is configured.";

/// Their grammars.
pub(super) fn grammars() -> [Clap; 2] {
    [export_grammar(), import_grammar()]
}

/// What was asked for, if it was one of them.
pub(super) fn command(name: &str, asked: &ArgMatches) -> Option<Result<Command, clap::Error>> {
    match name {
        "export" => Some(Ok(Command::Export(Box::new(export_request(asked)?)))),
        "import" => Some(import_request(asked)?.map(|request| Command::Import(Box::new(request)))),
        _ => None,
    }
}

fn export_grammar() -> Clap {
    Clap::new("export")
        .about("Write a map as a file: of a server, or of the database, also beside a running server")
        .arg(
            Arg::new("map")
                .value_name("GRAPH|URL")
                .required(true)
                .value_parser(place)
                .help("The map's id, or its address on a server"),
        )
        .arg(format_arg())
        .arg(
            Arg::new("output")
                .long("output")
                .short('o')
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("The file; standard output if this is left out"),
        )
        .after_help(AFTER_HELP)
}

fn import_grammar() -> Clap {
    Clap::new("import")
        .about("Make a new map from a file, and print where it is")
        .arg(Arg::new("file").value_name("FILE|-").required(true).help("The file; - = standard input"))
        .arg(format_arg())
        .arg(
            Arg::new("id")
                .long("id")
                .value_name("ID")
                .value_parser(|text: &str| GraphId::try_from(text))
                .help("The new map's id; else the one in the file if that is free, else a fresh one"),
        )
        .arg(
            Arg::new("to")
                .long("to")
                .value_name("URL")
                .value_parser(ServerUrl::parse)
                .help("The server, as https://maps.example.org; else the database that is configured"),
        )
        .after_help(AFTER_HELP)
}

fn format_arg() -> Arg {
    Arg::new("format")
        .long("format")
        .value_name("FORMAT")
        .value_parser(Format::ALL.map(Format::name))
        .help("The format")
}

/// What has a slash is an address; an id has none.
fn place(text: &str) -> Result<Place, String> {
    if text.contains('/') {
        return MapUrl::parse(text).map(Place::Server).map_err(|error| error.to_string());
    }
    GraphId::try_from(text).map(Place::Database).map_err(|error| error.to_string())
}

fn export_request(asked: &ArgMatches) -> Option<ExportRequest> {
    let output = asked.get_one::<PathBuf>("output").cloned();
    let format = format(asked, output.as_deref()).unwrap_or(Format::Json);
    Some(ExportRequest { from: asked.get_one::<Place>("map")?.clone(), format, output })
}

fn import_request(asked: &ArgMatches) -> Option<Result<ImportRequest, clap::Error>> {
    let name = asked.get_one::<String>("file")?;
    let Some(format) = format(asked, Some(Path::new(name))) else {
        let message = format!("the name `{name}` does not tell its format: say --format json or --format markdown");
        return Some(Err(import_grammar()
            .bin_name("synapti import")
            .error(ErrorKind::MissingRequiredArgument, message)));
    };
    let (id, to) = (asked.get_one("id").cloned(), asked.get_one("to").cloned());
    Some(Ok(ImportRequest { file: Input::parse(name), format, id, to }))
}

/// The format that was named, else that of the file's name.
fn format(asked: &ArgMatches, file: Option<&Path>) -> Option<Format> {
    let named = asked.get_one::<String>("format").and_then(|name| Format::from_name(name));
    named.or_else(|| Format::from_extension(file?.extension()?.to_str()?))
}
