//! Single flight: of those who want the same thing at the same time, one fetches it.

use std::{collections::HashMap, sync::Arc};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::watch;

/// Things that may be fetched at one time; beyond that everybody fetches for themselves.
const FLIGHTS_MAX: usize = 4096;

/// What becomes of whoever wants something that is not there.
#[derive(Debug)]
pub enum Flight {
    /// You fetch it.
    Lead(LeadGuard),
    /// Somebody else has, meanwhile. `None`: they failed, so ask again.
    Follow(Option<Bytes>),
}

/// The duty to fetch. Dropped, it wakes those who wait, and the first of them to ask again leads.
#[derive(Debug)]
#[must_use = "others wait for what you fetch"]
pub struct LeadGuard {
    flights: Flights,
    key: Arc<str>,
    news: watch::Sender<Option<Bytes>>,
    is_listed: bool,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<Arc<str>, News>>>);

/// Holds what was fetched, once it is here.
type News = watch::Receiver<Option<Bytes>>;

impl Flights {
    /// Leads, or waits as long as somebody else does. Cancel-safe.
    pub async fn board(&self, key: &str) -> Flight {
        match self.lead(key) {
            Ok(guard) => Flight::Lead(guard),
            Err(mut news) => {
                let landed = news.wait_for(Option::is_some).await;
                Flight::Follow(landed.ok().and_then(|value| value.clone()))
            }
        }
    }

    fn lead(&self, key: &str) -> Result<LeadGuard, News> {
        let mut flights = self.0.lock();
        if let Some(news) = flights.get(key) {
            return Err(news.clone());
        }
        let (key, is_listed): (Arc<str>, bool) = (key.into(), flights.len() < FLIGHTS_MAX);
        let (news, heard) = watch::channel(None);
        if is_listed {
            flights.insert(key.clone(), heard);
        }
        Ok(LeadGuard { flights: self.clone(), key, news, is_listed })
    }
}

impl LeadGuard {
    /// It is here: those who wait get it. Put it into the cache before, so that nobody fetches it who comes right after.
    pub fn land(self, value: Bytes) {
        self.news.send_replace(Some(value));
    }
}

impl Drop for LeadGuard {
    fn drop(&mut self) {
        if self.is_listed {
            self.flights.0.lock().remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{FutureExt as _, future::join_all};

    use super::*;

    const VALUE: Bytes = Bytes::from_static(b"value");

    async fn lead(flights: &Flights, key: &str) -> LeadGuard {
        match flights.board(key).await {
            Flight::Lead(guard) => guard,
            Flight::Follow(value) => panic!("somebody else leads: {value:?}"),
        }
    }

    fn followed(flight: Flight) -> Option<Bytes> {
        match flight {
            Flight::Follow(value) => value,
            Flight::Lead(_) => panic!("nobody leads"),
        }
    }

    #[tokio::test]
    async fn one_fetches_and_all_get_it() {
        let flights = Flights::default();
        let guard = lead(&flights, "a").await;
        let mut waiting = Box::pin(join_all((0..10).map(|_| flights.board("a"))));
        assert!(waiting.as_mut().now_or_never().is_none());
        let _other = lead(&flights, "b").await;
        guard.land(VALUE);
        for flight in waiting.await {
            assert_eq!(followed(flight), Some(VALUE));
        }
        let _next = lead(&flights, "a").await;
    }

    #[tokio::test]
    async fn a_leader_that_fails_wakes_all_and_one_of_them_leads_next() {
        let flights = Flights::default();
        let guard = lead(&flights, "a").await;
        let mut waiting = Box::pin(join_all((0..3).map(|_| flights.board("a"))));
        assert!(waiting.as_mut().now_or_never().is_none());
        drop(guard);
        for flight in waiting.await {
            assert_eq!(followed(flight), None);
        }
        let guard = lead(&flights, "a").await;
        let mut second = Box::pin(flights.board("a"));
        assert!(second.as_mut().now_or_never().is_none());
        guard.land(VALUE);
        assert_eq!(followed(second.await), Some(VALUE));
    }

    #[tokio::test]
    async fn a_follower_that_goes_disturbs_nobody() {
        let flights = Flights::default();
        let guard = lead(&flights, "a").await;
        assert!(flights.board("a").now_or_never().is_none());
        guard.land(VALUE);
        assert!(flights.0.lock().is_empty());
    }

    #[tokio::test]
    async fn beyond_the_bound_everybody_leads() {
        let flights = Flights::default();
        let keys: Vec<String> = (0..FLIGHTS_MAX).map(|at| at.to_string()).collect();
        let guards = join_all(keys.iter().map(|key| lead(&flights, key))).await;
        let (one, other) = (lead(&flights, "more").await, lead(&flights, "more").await);
        assert_eq!(flights.0.lock().len(), FLIGHTS_MAX);
        drop((one, other, guards));
        assert!(flights.0.lock().is_empty());
    }
}
