//! What a process uses, as the system counts it.

use std::{cell::Cell, iter::Sum, rc::Rc, time::Duration};

use anyhow::Context as _;
use nix::{
    time::{clock_getcpuclockid, clock_gettime},
    unistd::Pid,
};
use rustix::param::clock_ticks_per_second;
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval},
};

/// How often memory is looked at.
const SAMPLED_EVERY: Duration = Duration::from_millis(250);

/// A process that is watched.
#[derive(Debug, Clone, Copy)]
pub struct Process(Pid);

/// A process and those that it starts.
#[derive(Debug, Clone, Copy)]
pub struct Family(Process);

/// Memory in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Memory {
    /// What it has allocated and touched, and what is not backed by a file.
    pub anon: u64,
    /// That, and the pages of files that it uses.
    pub rss: u64,
}

/// Looks at a process's memory in the background, until this is dropped.
pub struct Watch {
    peak: Rc<Cell<Memory>>,
    _watching: JoinSet<()>,
}

impl Process {
    /// The process with this number.
    pub fn new(pid: u32) -> Self {
        Self(Pid::from_raw(pid.cast_signed()))
    }

    /// Time on a processor, in the program and in the kernel on its behalf: of all its threads, ended ones too. From
    /// the process's CPU-time clock, which counts nanoseconds.
    pub fn cpu(self) -> anyhow::Result<Duration> {
        let clock = clock_getcpuclockid(self.0).context("the server has ended")?;
        Ok(clock_gettime(clock).context("the server has ended")?.into())
    }

    /// Its memory now.
    pub fn memory(self) -> anyhow::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0)).context("the server has ended")?;
        let field = |name| bytes_of(&status, name).with_context(|| format!("/proc/{}/status has no {name}", self.0));
        Ok(Memory { anon: field("RssAnon:")?, rss: field("VmRSS:")? })
    }

    /// How long its threads have waited for a processor that others had: what a busy machine adds to every figure.
    /// Threads that have ended do not count. Linux only.
    pub fn waited_for_processor(self) -> anyhow::Result<Duration> {
        let mut waited = Duration::ZERO;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.0)).context("the server has ended")? {
            // A thread may end while we look.
            let Ok(schedstat) = std::fs::read_to_string(thread?.path().join("schedstat")) else { continue };
            waited += Duration::from_nanos(waited_ns(&schedstat).context("schedstat is not as documented")?);
        }
        Ok(waited)
    }

    /// Begins to look for the peak.
    pub fn watch(self) -> Watch {
        let peak = Rc::new(Cell::new(Memory::default()));
        let mut watching = JoinSet::new();
        let seen = peak.clone();
        watching.spawn_local(async move {
            let mut ticks = interval(SAMPLED_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            // A server that has ended is noticed by whoever asks it something.
            while let Ok(now) = self.memory() {
                seen.set(seen.get().max(now));
                ticks.tick().await;
            }
        });
        Watch { peak, _watching: watching }
    }
}

impl Family {
    /// Of this process.
    pub fn of(parent: Process) -> Self {
        Self(parent)
    }

    /// Time on a processor of the process, its children, and those children that have ended and were waited for: these last
    /// ones to a hundredth of a second. Linux only.
    pub fn cpu(self) -> anyhow::Result<Duration> {
        let Self(parent) = self;
        let ended = format!("process {} has ended", parent.0);
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", parent.0)).context(ended.clone())?;
        let ticks = ended_ticks(&stat).context("stat is not as documented")?;
        let mut cpu = Duration::from_secs(ticks) / clock_ticks_per_second() as u32;
        for thread in std::fs::read_dir(format!("/proc/{}/task", parent.0)).context(ended)? {
            let children = std::fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().filter_map(|child| child.parse().ok()).map(Process::new);
            // A child may end while we look.
            cpu += children.filter_map(|child| child.cpu().ok()).sum::<Duration>();
        }
        Ok(cpu + parent.cpu()?)
    }
}

impl Sum for Memory {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self { anon: sum.anon + one.anon, rss: sum.rss + one.rss })
    }
}

impl Memory {
    /// The larger of each.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { anon: self.anon.max(other.anon), rss: self.rss.max(other.rss) }
    }
}

impl Watch {
    /// The most of each that was seen.
    pub fn peak(&self) -> Memory {
        self.peak.get()
    }
}

/// What children used that have ended, in ticks: fields 16 and 17, in the program and in the kernel. The second field, the name in
/// parentheses, may have spaces in it.
fn ended_ticks(stat: &str) -> Option<u64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(13);
    Some(fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?)
}

fn bytes_of(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

/// The second of three numbers: nanoseconds on a processor, nanoseconds of waiting for one, turns.
fn waited_ns(schedstat: &str) -> Option<u64> {
    schedstat.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::{
        hint::black_box,
        io::{Read as _, Write as _},
        process::{self, Command, Stdio},
        thread,
        time::Instant,
    };

    use super::*;

    #[test]
    fn time_on_a_processor_counts_threads_that_have_ended() {
        let this = Process::new(process::id());
        let before = this.cpu().unwrap();
        let busy = || {
            let begun = Instant::now();
            while begun.elapsed() < Duration::from_millis(50) {
                black_box(begun);
            }
        };
        thread::spawn(busy).join().unwrap();
        assert!(this.cpu().unwrap() > before);
    }

    #[test]
    fn touched_memory_is_counted() {
        let this = Process::new(process::id());
        let before = this.memory().unwrap();
        let touched = black_box(vec![1_u8; 64 << 20]);
        let after = this.memory().unwrap();
        assert!(after.anon >= before.anon + (60 << 20), "{before:?} {after:?}");
        assert!(after.rss >= after.anon);
        drop(touched);
    }

    #[test]
    fn the_fields_are_found_by_name() {
        let status = "Name:\tsynapti\nVmRSS:\t    2048 kB\nRssAnon:\t    1024 kB\nThreads:\t3\n";
        assert_eq!(bytes_of(status, "RssAnon:"), Some(1 << 20));
        assert_eq!(bytes_of(status, "Threads:"), None);
        assert_eq!(waited_ns("126900000 11700000 42\n"), Some(11_700_000));
        assert_eq!(waited_ns("1"), None);
        let stat = "4697 (a name) (of two) S 1 4697 4697 0 -1 4194304 5514 2639 0 0 7 3 12 5 20 0 1 0 4583961";
        assert_eq!(ended_ticks(stat), Some(12 + 5));
        assert_eq!(ended_ticks("4697 (short) S 1"), None);
    }

    #[test]
    fn a_family_is_the_process_and_its_children_that_run_or_have_ended() {
        // It says when its child has used some time, and again when that has ended.
        let busy = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done; echo; read go";
        let mut shell = Command::new("sh")
            .args(["-c", &format!("({busy}); echo; read go")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let parent = Process::new(shell.id());
        let mut of_children = || {
            shell.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            let used = Family::of(parent).cpu().unwrap().saturating_sub(parent.cpu().unwrap());
            shell.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
            used
        };
        let (running, ended) = (of_children(), of_children());
        shell.wait().unwrap();
        assert!(running.min(ended) >= Duration::from_millis(10), "{running:?} {ended:?}");
    }
}
