//! Where a story takes place: each is told once on every backend.

use synapti_server::store::SharedStore;

use crate::fixture::{Home, crash_copy};

/// An empty database of one's own.
pub trait Place {
    /// Opens it; again after it was closed.
    async fn open(&self) -> SharedStore;

    /// Leaves it as it is when the process dies.
    async fn crash(&mut self);

    /// Makes what was abandoned old enough to be removed.
    async fn age(&self);

    /// Records, snapshots and slices of all graphs.
    async fn count_rows(&self) -> (i64, i64, i64);
}

impl Place for Home {
    async fn open(&self) -> SharedStore {
        Home::open(self).await
    }

    async fn crash(&mut self) {
        *self = crash_copy(self, usize::MAX);
    }

    async fn age(&self) {}

    async fn count_rows(&self) -> (i64, i64, i64) {
        Home::count_rows(self).await
    }
}

/// Makes a test of each story on each backend.
macro_rules! stories {
    ($($story:ident),* $(,)?) => {
        mod sqlite {
            $(#[tokio::test]
            async fn $story() {
                super::$story(&crate::fixture::Home::new()).await;
            })*
        }

        mod postgres {
            $(#[tokio::test]
            async fn $story() {
                super::$story(&crate::postgres::Home::new()).await;
            })*
        }
    };
}
pub(crate) use stories;
