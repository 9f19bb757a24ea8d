//! Sending edits when they are due, whatever the server does meanwhile.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::{
    member::Member,
    plan::{Phase, Plan},
};
use crate::wire::Outbox;

/// How coarse the timer is. An edit that is late by no more than that counts from when it was sent; one that is later,
/// because client or server were busy, from when it was due.
pub const TIMER_IS_COARSE_BY: Duration = Duration::from_millis(2);

/// Sends an editor's edits of this phase.
pub async fn send(plan: &Plan, phase: Phase, editor: &Member, outbox: &Outbox) -> anyhow::Result<()> {
    let (room, tally) = (&editor.room, &editor.tally);
    let mut edits =
        (phase.first..phase.first + phase.count).filter(|&edit| editor.editor == Some(plan.editor_of(edit))).peekable();
    while let Some(&next) = edits.peek() {
        let due = plan.due(phase, room.index, next);
        let now = Instant::now();
        if due > now {
            // What the network did not take goes on meanwhile.
            tokio::select! {
                flushed = outbox.flush_and_wait() => flushed?,
                () = sleep_until(due) => {}
            }
            continue;
        }
        while let Some(edit) = edits.next_if(|&edit| plan.due(phase, room.index, edit) <= now) {
            let late = now - plan.due(phase, room.index, edit);
            let counts_from = if late > TIMER_IS_COARSE_BY { now - late } else { now };
            room.sent.borrow_mut()[edit as usize] = Some(counts_from);
            if edit >= room.warmup_edits {
                tally.lateness.borrow_mut().saturating_record(late.as_micros() as u64);
            }
            outbox.push(&room.script.line(plan, edit).wire)?;
        }
        outbox.send_some()?;
    }
    outbox.flush().await
}
