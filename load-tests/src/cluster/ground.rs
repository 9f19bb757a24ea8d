//! What nodes need to be a cluster: made for one run, and removed after it.

use std::{fmt, path::PathBuf};

use anyhow::{Context as _, anyhow};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

use super::{
    Args, bus,
    postgres::{Database, Postgres},
    redis::Redis,
};
use crate::{
    client::ANSWERED_WITHIN,
    cores::Cores,
    server::{Launch, Server},
    subject::{Service, Subject},
};

/// Which nodes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One that knows of no cluster.
    Alone,
    /// One that is ready for others.
    Ready,
    /// Two.
    Two,
}

/// What all runs share.
pub struct Ground {
    binary: PathBuf,
    folder: PathBuf,
    redis_url: Option<String>,
    postgres: Postgres,
}

/// Nodes that run, and what they lean on. Everything that was started ends when this is dropped.
pub struct Cluster {
    /// The nodes.
    pub servers: Vec<Server>,
    services: Vec<Service>,
    redis: Option<Redis>,
    _folders: Vec<TempDir>,
}

impl Shape {
    fn nodes(self) -> usize {
        if self == Self::Two { 2 } else { 1 }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Alone => "one node",
            Self::Ready => "one node with Redis",
            Self::Two => "two nodes",
        })
    }
}

impl Ground {
    /// Looks whether all of it is there.
    pub async fn reach(args: &Args) -> anyhow::Result<Self> {
        let postgres = Postgres::reach(&args.database_url).await?;
        let Args { binary, folder, redis_url, .. } = args;
        Ok(Self { binary: binary.clone(), folder: folder.clone(), redis_url: redis_url.clone(), postgres })
    }

    /// For people.
    pub fn about(&self) -> String {
        let redis = if self.redis_url.is_some() { ", a Redis that ran before" } else { "" };
        format!("{}{redis}", self.postgres.about())
    }

    /// Starts nodes on a fresh database, has them measured, and removes everything.
    pub async fn with_cluster<T>(
        &self,
        shape: Shape,
        cores: Option<Cores>,
        settings: &[(&str, String)],
        measure: impl AsyncFnOnce(Cluster) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let database = self.postgres.fresh();
        let measured = async { measure(self.start(&database, shape, cores, settings).await?).await };
        let measured = tokio::select! {
            measured = measured => measured,
            // What was started and made must not stay behind.
            interrupted = interrupted() => Err(interrupted),
        };
        let removed = database.remove().await;
        // What went wrong first may be why the other did.
        let measured = measured.with_context(|| shape.to_string())?;
        removed.map(|()| measured)
    }

    async fn start(
        &self,
        database: &Database<'_>,
        shape: Shape,
        cores: Option<Cores>,
        settings: &[(&str, String)],
    ) -> anyhow::Result<Cluster> {
        let mut settings = settings.to_vec();
        settings.push(("SYNAPTI_DATABASE_URL", database.url()?));
        let redis = match (shape, &self.redis_url) {
            (Shape::Alone, _) => None,
            (_, Some(url)) => Some(Redis::that_runs(url)),
            (_, None) => Some(Redis::start(&self.folder, cores).await?),
        };
        if let Some(redis) = &redis {
            settings.push(("SYNAPTI_REDIS_URL", redis.url().to_owned()));
            // A node that goes on alone is not what is measured.
            settings.push(("SYNAPTI_REDIS_AT_START", "fail".to_owned()));
        }
        let services = redis.as_ref().and_then(Redis::service).into_iter().chain(self.postgres.service()).collect();
        let (mut servers, mut folders) = (Vec::new(), Vec::new());
        for node in 1..=shape.nodes() {
            let folder = tempfile::tempdir_in(&self.folder)
                .with_context(|| format!("no data folder in {}", self.folder.display()))?;
            let launch = Launch::synapti(&self.binary, folder.path(), &settings)?;
            servers.push(launch.start(cores).await.with_context(|| format!("node {node}"))?);
            folders.push(folder);
        }
        if shape == Shape::Two {
            bus::meet(&servers).await?;
        }
        Ok(Cluster { servers, services, redis, _folders: folders })
    }
}

/// Waits until somebody wants this program to end.
async fn interrupted() -> anyhow::Error {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return anyhow!("this program cannot wait for signals");
    };
    tokio::select! {
        _ = interrupt.recv() => anyhow!("interrupted"),
        _ = terminate.recv() => anyhow!("terminated"),
    }
}

impl Cluster {
    /// As a crowd sees it. What is left has to live as long.
    pub async fn subject(&mut self) -> anyhow::Result<Subject> {
        let services = std::mem::take(&mut self.services);
        Subject::cluster(std::mem::take(&mut self.servers), services, ANSWERED_WITHIN).await
    }

    /// Ends Redis, after the nodes.
    pub async fn end(self) -> anyhow::Result<()> {
        match self.redis {
            Some(redis) => redis.end().await,
            None => Ok(()),
        }
    }
}
