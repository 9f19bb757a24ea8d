//! What a server turned out to understand: one that refuses a request because of a part of it is asked without that part, and
//! from then on everybody is.

use parking_lot::Mutex;
use serde_json::Value;

use super::{
    ProviderError,
    events::EventBody,
    http::{Http, Refused},
};

/// How a request looks to which a server has not objected yet.
pub(super) trait Shape: Copy + PartialEq + Send {
    /// The next simpler request after the server said this of one of this shape; `None` when that is no reason.
    fn without(self, said: &str) -> Option<Self>;
}

/// Objections that are met before a server counts as one that refuses everything.
const OBJECTIONS_MAX: usize = 6;

/// Asks in the shape that the server is known to take, and learns.
pub(super) async fn post<S: Shape>(
    http: &Http,
    url: &reqwest::Url,
    known: &Mutex<S>,
    body: impl Fn(S) -> Value,
) -> Result<EventBody, ProviderError> {
    let mut shape = *known.lock();
    let mut objections = 0;
    loop {
        let Refused { error, said } = match http.post(url.clone(), &body(shape)).await {
            Ok(stream) => {
                *known.lock() = shape;
                return Ok(stream);
            }
            Err(refused) => refused,
        };
        let simpler = said.and_then(|said| shape.without(&said.to_ascii_lowercase()));
        let Some(simpler) = simpler.filter(|_| objections < OBJECTIONS_MAX) else { return Err(error) };
        tracing::info!(%error, "the AI provider does not take a part of the request, and is asked without it");
        shape = simpler;
        objections += 1;
    }
}
