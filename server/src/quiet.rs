//! Work that may take its time, on a thread that gives way to everybody else.

use std::{io, thread};

use tokio::sync::oneshot;

/// Stack of every thread that may decode or delete what a client sent: nested types are walked recursively. Only what is
/// touched is ever backed by memory.
pub const STACK_BYTES: usize = 64 << 20;

/// The lowest priority. It gets what others leave, and on a machine without any rest still a hundredth.
const NICENESS: i32 = 19;

/// Does the work on a thread of its own, so that its memory goes back to the system with the thread.
///
/// # Errors
/// When there is no thread to be had, or the work panics.
pub async fn run<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, io::Error> {
    let (done, answer) = oneshot::channel();
    thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES).spawn(move || {
        // On Linux of this thread alone, and nobody may be forbidden to lower it. Elsewhere it would be of the whole process.
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::process::nice(NICENESS) {
            tracing::debug!(%error, name, "the priority stays as it is");
        }
        // Whoever asked may have gone.
        let _ = done.send(work());
    })?;
    answer.await.map_err(|_| io::Error::other(format!("{name} panicked")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_answers_and_tells_of_a_panic() {
        assert_eq!(run("quiet-test", || 5).await.unwrap(), 5);
        assert!(run::<()>("quiet-test", || panic!("on purpose")).await.unwrap_err().to_string().contains("panicked"));
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn it_gives_way_and_nobody_else_has_to() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let before = priority();
        assert_eq!(run("quiet-test", priority).await.unwrap(), 19);
        assert_eq!(tokio::task::spawn_blocking(priority).await.unwrap(), before);
        assert_eq!(priority(), before);
    }
}
