//! The server on one core and the clients on another, so that neither takes time from the other.

use anyhow::{Context as _, ensure};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Who runs where.
#[derive(Debug, Clone, Copy)]
pub struct Cores {
    server: usize,
    client: usize,
}

impl Cores {
    /// The first core for the server, and the last one for the clients.
    pub fn of_this_machine() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|&core| allowed.is_set(core));
        let server = cores.next().context("this program may run on no core")?;
        Ok(Self { server, client: cores.next_back().unwrap_or(server) })
    }

    /// Puts this thread, and what it starts, on the clients' core.
    pub fn pin_client(self) -> anyhow::Result<()> {
        pin(self.client)
    }

    /// Starts something on the server's core.
    pub fn start_on_server_core<T>(self, start: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
        // A process begins where the thread is that starts it.
        let before = sched_getaffinity(None)?;
        pin(self.server)?;
        let started = start();
        sched_setaffinity(None, &before)?;
        started
    }

    /// For people.
    pub fn about(self) -> String {
        let Self { server, client } = self;
        if server == client {
            return format!("server and clients share core {server}, so all figures are worse than they should be");
        }
        format!("server on core {server}, clients on core {client}")
    }
}

fn pin(core: usize) -> anyhow::Result<()> {
    let mut set = CpuSet::new();
    set.set(core);
    sched_setaffinity(None, &set)?;
    ensure!(sched_getaffinity(None)?.is_set(core), "the system does not keep this program on core {core}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_starter_returns_to_where_it_was() {
        let cores = Cores::of_this_machine().unwrap();
        let before = sched_getaffinity(None).unwrap();
        let during = cores.start_on_server_core(|| Ok(sched_getaffinity(None)?)).unwrap();
        assert!(during.is_set(cores.server) && during.count() == 1);
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
