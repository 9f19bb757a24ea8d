//! One round: a start, a read of all that is there, load, and the end.

use std::{cell::Cell, fmt, os::unix::process::ExitStatusExt as _, path::PathBuf, rc::Rc};

use anyhow::{Context as _, bail, ensure};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use synapti_protocol::message::{self, Message, encode_step1};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use super::{
    ending::{Ending, Plan},
    writer::{Mode, Shared, Writer},
};
use crate::{
    client::{ANSWERED_WITHIN, fresh_client_id},
    http,
    server::{Launch, Server, Signal, without_rates},
    wire::{self, Address, Closed, Scratch},
};

/// State vector of a client that has nothing yet.
const NOTHING: &[u8] = &[0];

/// A server that goes sends its clients away over this time.
const GRACE_SECONDS: &str = "1";

/// The number of SIGKILL.
const SIGKILL: i32 = 9;

/// Reasons to be sent away that are no fault: the server goes, or is at its limits.
const SENT_AWAY: [u16; 2] = [1012, 1013];

/// What is put to the test, and where.
pub struct Ground {
    /// The program.
    pub binary: PathBuf,
    /// The database, unless it is a file in the folder.
    pub database_url: Option<String>,
    /// Data, logs.
    pub folder: PathBuf,
    /// Clients that write.
    pub clients: usize,
    /// What they know.
    pub shared: Rc<Shared>,
    /// Compactions that had begun and ended before the server was told to end; those of its last moments do not count.
    pub compactions: Cell<f64>,
}

/// A client did not get in.
#[derive(Debug)]
struct NotOpened;

impl fmt::Display for NotOpened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a connection was not opened")
    }
}

impl Ground {
    /// The server as in every round. One that closes maps at once when they are empty is asked for where it matters.
    pub fn launch(&self, closes_at_once: bool) -> anyhow::Result<Launch> {
        let mut settings = without_rates();
        settings.push(("SYNAPTI_SHUTDOWN_GRACE", GRACE_SECONDS.to_owned()));
        settings.extend(self.database_url.clone().map(|url| ("SYNAPTI_DATABASE_URL", url)));
        if closes_at_once {
            settings.push(("SYNAPTI_ROOM_IDLE_CLOSE_AFTER", "0".to_owned()));
        }
        Launch::synapti(&self.binary, &self.folder, &settings)
    }

    /// Starts it for a round.
    pub async fn start(&self, round: u32, plan: Plan) -> anyhow::Result<Server> {
        let closes_at_once = matches!(plan.ending, Ending::KillAfterLeaving(_));
        if let Some(after) = plan.killed_start {
            self.launch(closes_at_once)?.start_and_kill(after).await?;
        }
        let log = self.folder.join(format!("round-{round}.log"));
        self.launch(closes_at_once)?.log_to(&log).start(None).await
    }

    /// Puts load on it and ends it. `rooms` are numbers and names.
    pub async fn load_and_end(
        &self,
        server: Server,
        plan: Plan,
        rooms: &[(usize, String)],
        rng: &mut StdRng,
    ) -> anyhow::Result<()> {
        let (mode, modes) = watch::channel(Mode::Steady);
        let mut clients = self.clients(&server, rooms, rng, &modes).await?;
        tokio::select! {
            () = sleep(plan.load) => {}
            fault = first_fault(&mut clients) => return Err(fault.context("a client was sent away under load")),
        }
        // For the report only: a server that is at its limits need not answer.
        if let Ok(count) = http::counter(server.authority(), http::COMPACTIONS).await {
            self.compactions.set(self.compactions.get() + count);
        }
        end(server, plan.ending, &mode).await?;
        // What the server has said before its end counts, too.
        let heard = async {
            while let Some(ended) = clients.join_next().await {
                check(ended?)?;
            }
            Ok(())
        };
        timeout(ANSWERED_WITHIN, heard).await.context("connections do not end with the server")?
    }

    async fn clients(
        &self,
        server: &Server,
        rooms: &[(usize, String)],
        rng: &mut StdRng,
        modes: &watch::Receiver<Mode>,
    ) -> anyhow::Result<JoinSet<anyhow::Result<()>>> {
        let address = Address::resolve(&server.rooms_url(), ANSWERED_WITHIN).await?;
        let (extended, scratch) = (address.extended(), Scratch::default());
        let mut clients = JoinSet::new();
        for (_, room) in rooms {
            clients.spawn_local(watch_plainly(address.clone(), room.clone(), scratch.clone(), modes.clone()));
        }
        for (index, room) in rooms.iter().cycle().take(self.clients) {
            let (extended, scratch, room, index) = (extended.clone(), scratch.clone(), room.clone(), *index);
            let (shared, rng, modes) = (self.shared.clone(), StdRng::seed_from_u64(rng.random()), modes.clone());
            clients.spawn_local(async move {
                let (inbox, outbox) = wire::open(&extended, &room, &scratch).await.context(NotOpened)?;
                // As every client does: it also reads what is there.
                outbox.send(encode_step1(NOTHING)).await?;
                Writer::new(shared, index, outbox, fresh_client_id(), rng).run(inbox, modes).await
            });
        }
        Ok(clients)
    }
}

async fn end(mut server: Server, ending: Ending, mode: &watch::Sender<Mode>) -> anyhow::Result<()> {
    match ending {
        Ending::Kill => {}
        Ending::KillAfterBurst(after) => {
            mode.send_replace(Mode::Burst);
            sleep(after).await;
        }
        Ending::KillAfterLeaving(after) => {
            mode.send_replace(Mode::Leave);
            sleep(after).await;
        }
        Ending::Stop => {
            let status = server.signal(Signal::TERM).await?;
            ensure!(status.success(), "told to stop, it ended with {status}{}", server.last_words());
            return Ok(());
        }
        Ending::StopThenKill(after) => {
            server.tell(Signal::TERM)?;
            sleep(after).await;
            let status = server.signal(Signal::KILL).await?;
            let is_well = status.success() || status.signal() == Some(SIGKILL);
            ensure!(is_well, "told to stop, it ended with {status}{}", server.last_words());
            return Ok(());
        }
    }
    let status = server.signal(Signal::KILL).await?;
    ensure!(status.signal() == Some(SIGKILL), "it had ended by itself: {status}{}", server.last_words());
    Ok(())
}

/// A client of the plain protocol that only looks: it must not hear of acknowledgements.
async fn watch_plainly(
    address: Address,
    room: String,
    scratch: Scratch,
    mut modes: watch::Receiver<Mode>,
) -> anyhow::Result<()> {
    let (mut inbox, outbox) = wire::open(&address, &room, &scratch).await.context(NotOpened)?;
    outbox.send(encode_step1(NOTHING)).await?;
    loop {
        let read = inbox.read(|frame, _| match message::parse(frame)? {
            Message::Ack(_) | Message::Notice(_) => bail!("a plain client is sent an extension's message"),
            _ => Ok(()),
        });
        tokio::select! {
            read = read => read?,
            left = modes.wait_for(|mode| *mode == Mode::Leave) => return Ok(left.map(drop)?),
        }
    }
}

async fn first_fault(clients: &mut JoinSet<anyhow::Result<()>>) -> anyhow::Error {
    while let Some(ended) = clients.join_next().await {
        if let Err(error) = ended.map_err(Into::into).and_then(check_before_the_end) {
            return error;
        }
    }
    std::future::pending().await
}

/// While the server runs nobody's connection may end, except of a server at its limits.
fn check_before_the_end(ended: anyhow::Result<()>) -> anyhow::Result<()> {
    match ended {
        Err(error) if error.downcast_ref::<Closed>().is_some_and(|closed| closed.code == 1013) => Ok(()),
        ended => ended,
    }
}

/// When it ends every connection ends, and nobody may have been told that there was something wrong with it.
fn check(ended: anyhow::Result<()>) -> anyhow::Result<()> {
    let Err(error) = ended else { return Ok(()) };
    match error.downcast_ref::<Closed>() {
        Some(closed) if !SENT_AWAY.contains(&closed.code) => Err(error),
        Some(_) => Ok(()),
        // It came too late.
        None if error.is::<NotOpened>() => Ok(()),
        None if error.root_cause().is::<std::io::Error>() || error.is::<wire::Ended>() => Ok(()),
        None => Err(error),
    }
}
