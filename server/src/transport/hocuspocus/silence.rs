//! Who has shown no token may not make this node keep much (GHSA-xwhh-v746-pj9m).

use std::ops::ControlFlow;

use synapti_protocol::close::CloseCode;

use super::{document::Document, inbox::Waiting};
use crate::{
    limits::budget::{ByteBudget, Share},
    room::Refusal,
    transport::socket::Goodbye,
};

/// Documents of one socket that have not shown a token.
const DOCUMENTS_MAX: usize = 100;

/// Messages of those documents.
const MESSAGES_MAX: usize = 1_000;

/// Their bytes.
const BYTES_MAX: usize = 5 << 20;

/// What each socket may have besides what the node keeps of all that are nobody yet: a provider says little before its token.
const FREE_BYTES: usize = 16 << 10;
const STEP_BYTES: usize = 64 << 10;

/// Hocuspocus' close code for a client that goes beyond what it may have.
const RESET: u16 = 4205;

/// What a socket keeps of those who have not said who they are.
pub(super) struct Silence {
    node: ByteBudget,
    /// Of what the node may keep, one step each.
    shares: Vec<Share>,
}

impl Silence {
    pub(super) fn new(node: ByteBudget) -> Self {
        Self { node, shares: Vec::new() }
    }

    /// Ends a socket that keeps more than it may. Who is somebody counts no longer against the node's budget.
    pub(super) fn check(&mut self, documents: &[Document], is_known: bool) -> ControlFlow<Goodbye> {
        let silent = || documents.iter().filter_map(Document::silent);
        let waiting = Waiting::of(silent());
        let what = if silent().count() > DOCUMENTS_MAX {
            format!("more than {DOCUMENTS_MAX} documents")
        } else if waiting.messages > MESSAGES_MAX {
            format!("more than {MESSAGES_MAX} messages")
        } else if waiting.bytes > BYTES_MAX {
            format!("more than {BYTES_MAX} bytes")
        } else if is_known {
            return ControlFlow::Continue(());
        } else {
            return self.pay(documents.iter().map(Document::kept_bytes).sum());
        };
        let reason = format!("{what} before their Auth message: send that first");
        ControlFlow::Break(Goodbye::Close { code: RESET, reason, may_read: true })
    }

    /// The socket is somebody.
    pub(super) fn is_over(&mut self) {
        self.shares = Vec::new();
    }

    fn pay(&mut self, bytes: usize) -> ControlFlow<Goodbye> {
        let steps = bytes.saturating_sub(FREE_BYTES).div_ceil(STEP_BYTES);
        self.shares.truncate(steps);
        while self.shares.len() < steps {
            let Some(share) = self.node.try_take(STEP_BYTES) else {
                let reason =
                    "too much has come from clients that have not said who they are: send the Auth message first";
                return ControlFlow::Break(Refusal::new(CloseCode::AtCapacity, reason).into());
            };
            self.shares.push(share);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_are_nobody_share_what_the_node_keeps_of_them() {
        let node = ByteBudget::new(2 * STEP_BYTES);
        let [mut one, mut other] = [(); 2].map(|()| Silence::new(node.clone()));
        assert!(one.pay(FREE_BYTES).is_continue() && other.pay(FREE_BYTES).is_continue());
        assert_eq!(node.left_bytes(), 2 * STEP_BYTES);
        assert!(one.pay(FREE_BYTES + STEP_BYTES + 1).is_continue());
        assert!(other.pay(FREE_BYTES + 1).is_break());
        assert!(one.pay(FREE_BYTES + 1).is_continue() && other.pay(FREE_BYTES + 1).is_continue());
        drop(one);
        other.is_over();
        assert_eq!(node.left_bytes(), 2 * STEP_BYTES);
    }
}
