//! Answers that come later: a request that waits for a map to change.
//!
//! A handler that would wait hands out what there is to wait for instead, in a response that is not sent. So all that a request holds
//! on its way through the layers is let go before the wait, and with it most of what a connection weighs
//! ([`super::parked`]).

use std::{fmt, future::Future, pin::Pin, sync::Arc};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use parking_lot::Mutex;

use crate::http::error::ApiError;

/// Headers of a response that is not there yet.
type Frame = Box<[(HeaderName, HeaderValue)]>;

type Answering = Pin<Box<dyn Future<Output = Response> + Send>>;

/// What a response waits for; the response that carries it is only its frame: status, body and headers of the one that comes
/// count more.
#[derive(Clone)]
pub struct Deferred(Arc<Mutex<Option<Answering>>>);

impl Deferred {
    /// A response that will be what `answer` comes to.
    pub fn response(answer: impl Future<Output = Result<Response, ApiError>> + Send + 'static) -> Response {
        // Not an async block, which would keep the answer's room twice.
        let answering = answer.map(|answer| answer.unwrap_or_else(ApiError::into_response));
        let mut frame = StatusCode::NO_CONTENT.into_response();
        frame.extensions_mut().insert(Self(Arc::new(Mutex::new(Some(Box::pin(answering))))));
        frame
    }

    /// Whether a response is one of these.
    pub fn is_in(response: &Response) -> bool {
        response.extensions().get::<Self>().is_some()
    }

    /// Has something done to the answer when it is there.
    pub fn then(response: &mut Response, finish: impl FnOnce(&mut Response) + Send + 'static) {
        let Some(Self(deferred)) = response.extensions().get::<Self>() else { return };
        let mut deferred = deferred.lock();
        *deferred = deferred.take().map(|answering| {
            let finished: Answering = Box::pin(async {
                let mut response = answering.await;
                finish(&mut response);
                response
            });
            finished
        });
    }

    /// What has to be waited for before a response can be sent.
    ///
    /// # Errors
    /// The response, when it can be sent as it is.
    pub fn of(mut response: Response) -> Result<Waiting, Box<Response>> {
        let deferred = response.extensions_mut().remove::<Self>().and_then(|Self(deferred)| deferred.lock().take());
        match deferred {
            None => Err(Box::new(response)),
            Some(answering) => {
                let frame = frame_of(&response);
                drop(response);
                Ok(Waiting(Box::pin(answering.map(|answer| fill(frame, answer)))))
            }
        }
    }
}

impl fmt::Debug for Deferred {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Deferred")
    }
}

/// A response on its way.
pub struct Waiting(Answering);

impl Future for Waiting {
    type Output = Response;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> std::task::Poll<Response> {
        self.0.as_mut().poll(cx)
    }
}

/// The response itself, deferred or not.
pub async fn finished(response: Response) -> Response {
    match Deferred::of(response) {
        Ok(waiting) => waiting.await,
        Err(response) => *response,
    }
}

fn has(response: &Response, name: &HeaderName, value: &HeaderValue) -> bool {
    response.headers().get_all(name).iter().any(|there| there == value)
}

/// What the layers have put on a frame, in as little room as possible: many wait.
fn frame_of(response: &Response) -> Frame {
    // That of a frame without a body says nothing of the answer's.
    let headers = response.headers().iter().filter(|(name, _)| **name != header::CONTENT_LENGTH);
    headers.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The answer, with its frame.
fn fill(frame: Frame, mut answer: Response) -> Response {
    for (name, value) in frame {
        if !answer.headers().contains_key(&name) || (name == header::VARY && !has(&answer, &name, &value)) {
            answer.headers_mut().append(name, value);
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_answer_counts_more_than_its_frame() {
        let mut response = Deferred::response(async {
            Ok((StatusCode::OK, [(header::CACHE_CONTROL, "no-store"), (header::VARY, "a")], "late").into_response())
        });
        assert!(Deferred::is_in(&response));
        let frame = response.headers_mut();
        frame.insert(header::CACHE_CONTROL, HeaderValue::from_static("private"));
        frame.insert(header::VARY, HeaderValue::from_static("b"));
        frame.insert(header::SERVER, HeaderValue::from_static("frame"));
        frame.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        Deferred::then(&mut response, |answer| {
            answer.headers_mut().insert(header::AGE, HeaderValue::from_static("1"));
        });
        let answer = finished(response).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let headers = answer.headers();
        assert_eq!(
            (&headers[header::CACHE_CONTROL], &headers[header::SERVER]),
            (&"no-store".parse().unwrap(), &"frame".parse().unwrap())
        );
        assert!(headers.contains_key(header::AGE) && !headers.contains_key(header::CONTENT_LENGTH));
        assert_eq!(headers.get_all(header::VARY).iter().count(), 2);
        assert_eq!(headers.get_all(header::CACHE_CONTROL).iter().count(), 1);
    }

    #[tokio::test]
    async fn any_other_response_is_itself() {
        let response = finished(StatusCode::IM_A_TEAPOT.into_response()).await;
        assert_eq!(response.status(), StatusCode::IM_A_TEAPOT);
        assert!(Deferred::of(response).is_err());
    }
}
