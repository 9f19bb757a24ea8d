//! `synapti`: reads its settings, does what it is asked, and says with its exit code how that went.

use std::{
    io::{IsTerminal as _, Write as _},
    process::ExitCode,
};

use synapti_server::{
    app,
    auth::mint::NewToken,
    check::{self, Finding, Summary},
    cli::{self, Cli, Command, EXIT_USAGE, TokenRequest},
    clock::Clock,
    commands::{
        edit,
        export::{self, ExportRequest, Place},
        import::{self, ImportRequest},
        output, watch,
    },
    config::{Config, ConfigError, TOKEN_ENV_NAME},
    http::openapi,
    journal, quiet,
    remote::http::Token,
    store, telemetry,
};
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

// Chosen by measurement (docs/benchmarks.md): version 2 gives freed memory back at once, version 3 after a second. Without
// huge pages: a 2 MiB page is cleared whole for the few kilobytes that a short-lived room needs of it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// It started, and failed.
const EXIT_FAILURE: u8 = 1;

fn main() -> ExitCode {
    let cli = match Cli::parse(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return ExitCode::from(cli::report(&error)),
    };
    if cli.command == Command::Openapi {
        println!("{}", openapi::description());
        return ExitCode::SUCCESS;
    }
    if is_client(&cli.command) {
        return client(cli.command);
    }
    let config = match Config::load(cli.config_file.as_deref(), std::env::vars_os(), &cli.flags) {
        Ok(config) => config,
        Err(error) => return usage(&error),
    };
    if let Command::Token(asked) = &cli.command {
        return match token(asked, &config) {
            Ok(token) => {
                println!("{token}");
                ExitCode::SUCCESS
            }
            Err(error) => usage(&error),
        };
    }
    if let Err(error) = telemetry::logs::init(&config.log) {
        return usage(&error);
    }
    match perform(&cli.command, config) {
        Ok(code) => code,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

fn usage(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("synapti: {error}");
    ExitCode::from(EXIT_USAGE)
}

/// Whether it speaks to a server.
fn is_client(command: &Command) -> bool {
    match command {
        Command::Watch(_) | Command::Edit(_) => true,
        Command::Export(request) => matches!(request.from, Place::Server(_)),
        Command::Import(request) => request.to.is_some(),
        _ => false,
    }
}

/// Speaks to a server. Needs no settings; logs only when it is asked to.
fn client(command: Command) -> ExitCode {
    let text = |name: &str| std::env::var_os(name).unwrap_or_default().to_string_lossy().into_owned();
    let token = match Token::read(&text(TOKEN_ENV_NAME)) {
        Ok(token) => token,
        Err(error) => return usage(&error),
    };
    let filter = text("SYNAPTI_LOG");
    if let Err(error) = telemetry::logs::init(if filter.is_empty() { "off" } else { &filter }) {
        return usage(&error);
    }
    let ended = runtime().and_then(|runtime| {
        let ended = runtime.block_on(speak(command, token));
        runtime.shutdown_background();
        ended
    });
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

/// Says why a command of a person has failed.
fn failed(error: &anyhow::Error) -> ExitCode {
    let visible = |c: char| if c.is_control() && c != '\n' { c.escape_default().to_string() } else { c.to_string() };
    let said: String = format!("{error:#}").chars().map(visible).collect();
    // Nobody reads it when it cannot be written.
    let _ = writeln!(std::io::stderr(), "synapti: {said}");
    ExitCode::from(EXIT_FAILURE)
}

async fn speak(command: Command, token: Option<Token>) -> anyhow::Result<()> {
    // An edit that is interrupted has not been confirmed: it ends as any program does.
    let stop = if matches!(command, Command::Watch(_)) { stop_signal()? } else { CancellationToken::new() };
    match &command {
        Command::Export(request) => return export_map(request, None, token).await,
        Command::Import(request) => return import_map(request, None, token).await,
        _ => {}
    }
    // On a thread with a stack of its own: what a server sends may be nested.
    let mut task = JoinSet::new();
    task.spawn(async move {
        let out = &mut std::io::stdout();
        match command {
            Command::Watch(request) => tokio::select! {
                watched = watch::run(&request, token, out, &stop) => watched,
                () = output::reader_gone() => Ok(()),
            },
            Command::Edit(request) => edit::run(*request, token, Clock::system(), out).await,
            _ => Ok(()),
        }
    });
    match task.join_next().await {
        Some(Ok(Err(failure))) if !failure.is_closed_pipe() => Err(failure.into()),
        Some(Err(panic)) => Err(panic.into()),
        _ => Ok(()),
    }
}

fn perform(command: &Command, config: Config) -> anyhow::Result<ExitCode> {
    let runtime = runtime()?;
    let performed = runtime.block_on(async {
        match command {
            Command::Serve => app::serve(config, stop_signal()?).await?,
            Command::Migrate => migrate(&config).await?,
            Command::Check => return check(&config).await,
            // Whoever typed these reads words, not a log.
            Command::Export(request) => {
                let exported = export_map(request, Some(&config), None).await;
                return Ok(exported.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS));
            }
            Command::Import(request) => {
                let imported = import_map(request, Some(&config), None).await;
                return Ok(imported.map_or_else(|error| failed(&error), |()| ExitCode::SUCCESS));
            }
            Command::Openapi | Command::Token(_) | Command::Watch(_) | Command::Edit(_) => {}
        }
        Ok(ExitCode::SUCCESS)
    });
    runtime.shutdown_background();
    performed
}

fn runtime() -> anyhow::Result<Runtime> {
    // Ten thousand sockets need ten thousand descriptors; what the system grants is what we can have.
    if let Err(error) = rlimit::increase_nofile_limit(u64::MAX) {
        tracing::warn!(%error, "the limit of open files stays as it is");
    }
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().thread_stack_size(quiet::STACK_BYTES).build()?)
}

/// Cancelled at the first SIGTERM or SIGINT; the second one ends the process at once.
fn stop_signal() -> anyhow::Result<CancellationToken> {
    let stop = CancellationToken::new();
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let told = stop.clone();
    #[expect(clippy::disallowed_methods, reason = "this task outlives everything that shutdown waits for")]
    tokio::spawn(async move {
        for attempt in 1.. {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            if attempt > 1 {
                tracing::warn!("told twice: stopping at once");
                std::process::exit(i32::from(EXIT_FAILURE));
            }
            told.cancel();
        }
    });
    Ok(stop)
}

fn token(asked: &TokenRequest, config: &Config) -> Result<String, ConfigError> {
    let secret = config.auth.secret.as_ref().ok_or(ConfigError::NoSecret)?;
    let mut token = NewToken::new(&asked.sub, Clock::system().now(), asked.expires_in_seconds);
    token.name.clone_from(&asked.name);
    token.role.clone_from(&asked.role);
    token.graphs = asked.graphs.iter().map(|(graph, role)| (graph.clone(), role.as_str().into())).collect();
    // The server that is configured like this would refuse it without.
    token.iss.clone_from(&config.auth.issuer);
    token.aud.clone_from(&config.auth.audience);
    Ok(token.sign(secret.expose()))
}

/// Out of the database that is configured, or of a server.
async fn export_map(request: &ExportRequest, config: Option<&Config>, token: Option<Token>) -> anyhow::Result<()> {
    let bytes = match (&request.from, config) {
        (Place::Server(map), _) => export::from_server(map, request.format, token).await?,
        (Place::Database(graph), Some(config)) => {
            let (bytes, lost) = export::from_database(&config.database_url, graph, request.format).await?;
            for what in lost {
                eprintln!("synapti: a part of the map is lost and not in the export ({what}); run `synapti check`");
            }
            bytes
        }
        (Place::Database(_), None) => anyhow::bail!("a map's id needs a database: name its address on a server"),
    };
    match export::write(&bytes, request.output.as_deref()) {
        Err(error) if !error.is_closed_pipe() => Err(error.into()),
        _ => Ok(()),
    }
}

/// Into the database that is configured, or into a server.
async fn import_map(request: &ImportRequest, config: Option<&Config>, token: Option<Token>) -> anyhow::Result<()> {
    let made = match (&request.to, config) {
        (Some(server), _) => import::into_server(request, server, token).await?,
        (None, Some(config)) => import::into_database(request, config, &Clock::system()).await?.to_string(),
        (None, None) => anyhow::bail!("name a server with --to URL"),
    };
    // The map is there, whether anybody reads it or not.
    let _ = writeln!(std::io::stdout(), "{made}");
    Ok(())
}

async fn migrate(config: &Config) -> anyhow::Result<()> {
    let report = store::migrate(&config.database_url).await?;
    for migration in &report.applied {
        println!("applied {migration}");
    }
    println!("the database has schema version {}", report.version);
    Ok(())
}

/// Success without damage, failure with.
async fn check(config: &Config) -> anyhow::Result<ExitCode> {
    let store = store::open_to_check(&config.database_url).await?;
    let shows_progress = std::io::stderr().is_terminal();
    let progress = &mut |so_far: &Summary| {
        if shows_progress {
            // Nobody reads it when it cannot be written.
            let _ = write!(std::io::stderr(), "\rchecked {}", so_far.amounts());
        }
    };
    let checked = check::check_showing(&store, &mut |finding: &Finding| println!("{finding}"), progress).await;
    if shows_progress {
        eprintln!();
    }
    for path in journal::spilled(&app::spill_folders(config), store.identity())? {
        println!("note: {} holds edits that the next start saves", path.display());
    }
    store.close().await;
    let summary = checked?;
    println!("{summary}");
    Ok(if summary.findings == 0 { ExitCode::SUCCESS } else { ExitCode::from(EXIT_FAILURE) })
}
