//! When the token of one document ends. The client is asked for a new one before.

use std::{
    future::Future as _,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep_until};

/// How long before the end the client is asked for a new token; half of the time that is left, when that is less.
const ASK_BEFORE: Duration = Duration::from_secs(30);

/// A client is not asked any more when less than this is left.
const ASK_UNTIL: Duration = Duration::from_secs(1);

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// To ask for a new token.
    Ask,
    /// The token has ended.
    End,
}

/// The time for which a client may stay.
#[derive(Debug, Default)]
pub(super) struct Term(Option<Ending>);

#[derive(Debug)]
struct Ending {
    at: Instant,
    /// What is due when the timer ends.
    next: Due,
    timer: Pin<Box<Sleep>>,
}

impl Term {
    /// It ends after so long, if ever.
    pub(super) fn of(lasts: Option<Duration>) -> Self {
        // What is too far away for the clock is never.
        let at = lasts.and_then(|lasts| Instant::now().checked_add(lasts));
        Self(at.map(|at| {
            let (next, due_at) = next_due(at);
            Ending { at, next, timer: Box::pin(sleep_until(due_at)) }
        }))
    }

    /// What is due now. To be asked until there is nothing: then the task is woken when there is something.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Option<Due> {
        let ending = self.0.as_mut()?;
        if ending.timer.as_mut().poll(cx) == Poll::Pending {
            return None;
        }
        let due = ending.next;
        if due == Due::End {
            self.0 = None;
        } else {
            let (next, due_at) = next_due(ending.at);
            ending.next = next;
            ending.timer.as_mut().reset(due_at);
        }
        Some(due)
    }
}

/// A client that does not answer is asked again each time that half of what was left is over.
fn next_due(at: Instant) -> (Due, Instant) {
    let left = at.saturating_duration_since(Instant::now());
    if left > ASK_UNTIL { (Due::Ask, at - ASK_BEFORE.min(left / 2)) } else { (Due::End, at) }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn due(term: &mut Term) -> Due {
        poll_fn(|cx| term.poll(cx).map_or(Poll::Pending, Poll::Ready)).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_asked_before_its_token_ends_and_more_often_towards_the_end() {
        let begin = Instant::now();
        let mut term = Term::of(Some(Duration::from_mins(10)));
        let mut asked = Vec::new();
        while due(&mut term).await == Due::Ask {
            asked.push(begin.elapsed().as_secs());
        }
        assert_eq!(asked, [570, 585, 592, 596, 598, 599]);
        assert_eq!(begin.elapsed().as_secs(), 600);
        let nobody = &mut Context::from_waker(std::task::Waker::noop());
        assert_eq!(term.poll(nobody), None);
    }

    #[tokio::test(start_paused = true)]
    async fn short_tokens_end_too_and_tokens_without_an_end_never() {
        let mut short = Term::of(Some(Duration::from_secs(10)));
        assert_eq!(due(&mut short).await, Due::Ask);
        assert_eq!(due(&mut Term::of(Some(Duration::ZERO))).await, Due::End);
        let nobody = &mut Context::from_waker(std::task::Waker::noop());
        for lasts in [None, Some(Duration::MAX)] {
            assert_eq!(Term::of(lasts).poll(nobody), None);
        }
    }
}
