//! Where a story takes place: each is told once on every backend.

use synapti_server::store::SharedStore;

use crate::fixture::Home;

/// An empty database of one's own.
pub trait Place {
    /// Opens it; again after it was closed.
    async fn open(&self) -> SharedStore;
}

impl Place for Home {
    async fn open(&self) -> SharedStore {
        Home::open(self).await
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
    };
}
pub(crate) use stories;
