//! When a client's token ends on a socket that is open.
//!
//! The timer is made only when the end is near: for most of the life of most sockets there is nothing to wake for, and an
//! idle socket should weigh nothing.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

use crate::room::slot::LOOK_EVERY;

/// The timer is made when the end is as near as this: looks come somewhat late when the machine is busy.
const NEAR: Duration = LOOK_EVERY.saturating_mul(4);

pub(in crate::transport) struct Expiry {
    at: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Expiry {
    /// In so long, if ever.
    pub(in crate::transport) fn within(within: Option<Duration>) -> Self {
        // What is too far away for the clock is never.
        let at = within.and_then(|within| Instant::now().checked_add(within));
        let mut expiry = Self { at, timer: None };
        expiry.look();
        expiry
    }

    /// To be called now and then.
    pub(in crate::transport) fn look(&mut self) {
        if let Some(at) = self.at
            && self.timer.is_none()
            && at.saturating_duration_since(Instant::now()) <= NEAR
        {
            self.timer = Some(Box::pin(sleep_until(at)));
        }
    }

    /// Whether it is over. Wakes the task when it will be.
    pub(in crate::transport) fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        self.timer.as_mut().is_some_and(|timer| timer.as_mut().poll(cx) == Poll::Ready(()))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_timer_is_made_when_the_end_is_near_and_wakes() {
        let mut never = Expiry::within(None);
        never.look();
        assert!(never.timer.is_none() && Expiry::within(Some(Duration::MAX)).at.is_none());

        let mut expiry = Expiry::within(Some(Duration::from_mins(1)));
        assert!(expiry.timer.is_none());
        tokio::time::advance(Duration::from_secs(50)).await;
        expiry.look();
        let began = Instant::now();
        poll_fn(|cx| if expiry.poll(cx) { Poll::Ready(()) } else { Poll::Pending }).await;
        assert_eq!(began.elapsed().as_secs(), 10);
    }
}
