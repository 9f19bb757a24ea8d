//! Standard output that somebody reads through a pipe.

use std::io;

use tokio::io::{Interest, unix::AsyncFd};

/// Waits until nobody reads standard output any more. Without this a quiet map would be watched for nobody.
pub async fn reader_gone() {
    #[expect(deprecated, reason = "its successor is unsafe to call; standard output stays open as long as the process")]
    let watched = AsyncFd::with_interest(io::stdout(), Interest::ERROR);
    // A file has no reader, and cannot be waited for.
    let Ok(stdout) = watched else { return std::future::pending().await };
    if stdout.ready(Interest::ERROR).await.is_err() {
        std::future::pending::<()>().await;
    }
}
