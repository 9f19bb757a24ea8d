//! How fast a connection with several sessions may speak: of all of them together, and of what is for none.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::{
    Session, SessionLimits,
    pace::{Kind, Pace, Toll, TooFast},
};
use crate::room::Refusal;

/// The rates of one connection.
pub struct Meter {
    limits: SessionLimits,
    pace: Arc<Pace>,
    too_fast: TooFast,
    /// What the client has said too soon is being paid for.
    paying: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl Meter {
    /// Of a connection that has said nothing.
    pub fn new(limits: SessionLimits) -> Self {
        Self { limits, pace: Arc::new(Pace::new(&limits)), too_fast: TooFast::default(), paying: None }
    }

    /// Has a session share the rates of its connection.
    #[must_use]
    pub fn metered(&self, session: Session) -> Session {
        Session { pace: Arc::new(Pace::within(self.pace.clone(), &self.limits)), ..session }
    }

    /// Takes what a message costs that is for no session. A client that is too fast is not to be read while
    /// [`Meter::is_paying`].
    ///
    /// # Errors
    /// Why the connection has to be closed.
    pub fn charge(&mut self, bytes: usize) -> Result<(), Refusal> {
        let mut toll = Toll::of(Kind::Plain, bytes);
        if self.pace.take(&mut toll).is_ok() {
            return Ok(());
        }
        self.too_fast.slow_down(&self.limits)?;
        let (pace, before) = (self.pace.clone(), self.paying.take());
        self.paying = Some(Box::pin(async move {
            if let Some(before) = before {
                before.await;
            }
            pace.pay(toll).await;
        }));
        Ok(())
    }

    /// Whether something that was said is not paid for.
    pub fn is_paying(&self) -> bool {
        self.paying.is_some()
    }

    /// Goes on with paying; what happens later wakes the task.
    pub fn poll(&mut self, cx: &mut Context<'_>) {
        if let Some(paying) = &mut self.paying
            && let Poll::Ready(()) = paying.as_mut().poll(cx)
        {
            self.paying = None;
            self.too_fast.waited();
        }
    }
}
