//! What goes wrong between a provider and us, and what it is called.

use serde_json::{Value, json};
use synapti_server::ai::provider::{ProviderError, refusal};
use tokio::net::TcpListener;

use super::{
    ALL, KEY, Which, all, data, error_of,
    played::{Played, Reply},
    text_of,
};

async fn error(which: Which, reply: Reply) -> ProviderError {
    let server = Played::always(reply).await;
    error_of(&*which.at(&server.base)).await
}

#[tokio::test]
async fn a_connection_that_breaks_off_is_a_cut() {
    for which in ALL {
        let stream = which.recorded();
        let half = &stream[..stream.len() / 2];
        for reply in [Reply::stream(half).closed(), Reply::stream(half).reset()] {
            let server = Played::always(reply.clone()).await;
            let (pieces, error) = all(&*which.at(&server.base)).await;
            assert_eq!(error, Some(ProviderError::Cut), "{which:?}, {reply:?}");
            assert!(which.expected().0.starts_with(&text_of(&pieces)), "{which:?}: what came is right");
        }
    }
}

#[tokio::test]
async fn nobody_there_is_said_with_the_host_alone() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    for which in ALL {
        let error = error_of(&*which.at(&format!("http://{free}"))).await;
        let ProviderError::Unreachable(why) = &error else { panic!("{error}") };
        assert!(why.contains(&free.to_string()) && why.contains("refused"), "{why}");
        assert!(!why.contains("http") && !why.contains("alt=sse") && error.is_passing(), "{why}");
    }
}

#[tokio::test]
async fn too_many_requests_say_when_to_come_back() {
    let google: Value = serde_json::from_str(&data("google-429-retry-info.json")).unwrap();
    let busy = |body: &Value| Reply::json("429 Too Many Requests", body);
    let dated = busy(&json!({}))
        .header("date: Fri, 31 Dec 1999 23:59:50 GMT")
        .header("retry-after: Sat, 01 Jan 2000 00:00:05 GMT");
    let cases = [
        (Which::OpenAi, busy(&json!({})).header("retry-after: 7"), Some(7.0)),
        (Which::OpenAi, busy(&json!({})).header("retry-after-ms: 250").header("retry-after: 7"), Some(0.25)),
        (Which::Anthropic, dated, Some(15.0)),
        (Which::Anthropic, Reply::json("529 Overloaded", &json!({})).header("retry-after: 3"), Some(3.0)),
        (Which::Gemini, busy(&google), Some(34.4)),
        (Which::Gemini, busy(&json!(null)), None),
    ];
    for (which, reply, seconds) in cases {
        let error = error(which, reply.clone()).await;
        let ProviderError::RateLimited { retry_after } = error else { panic!("{error}: {reply:?}") };
        assert_eq!(retry_after.map(|after| after.as_secs_f64()), seconds, "{reply:?}");
    }
}

#[tokio::test]
async fn a_server_that_fails_is_not_one_that_refuses() {
    let overloaded = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let failed = error(Which::Anthropic, Reply::json("529 ", &overloaded)).await;
    assert_eq!(failed, ProviderError::Failed("HTTP 529: Overloaded".into()));
    let page = Reply::new("502 Bad Gateway", &["content-type: text/html"]).piece("<html>nginx</html>");
    assert_eq!(error(Which::OpenAi, page).await, ProviderError::Failed("HTTP 502".into()));

    let wrong = json!({"error": {"message": "no such model"}});
    for (status, is_of_account) in
        [("401 ", true), ("402 ", true), ("403 ", true), ("404 ", true), ("400 ", false), ("413 ", false)]
    {
        for which in ALL {
            let error = error(which, Reply::json(status, &wrong)).await;
            let ProviderError::Refused(why) = &error else { panic!("{error}") };
            assert!(why.contains("no such model") && why.contains(status.trim()), "{why}");
            assert_eq!(refusal::is_of_account(&error), is_of_account, "{why}");
        }
    }
}

#[tokio::test]
async fn errors_within_a_stream_are_errors() {
    let cases = [
        (Which::OpenAi, json!({"error": {"message": "The server had an error", "type": "server_error", "code": null}})),
        (Which::Anthropic, json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})),
        (
            Which::Gemini,
            json!({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}),
        ),
    ];
    for (which, event) in cases {
        let begin = which.events()[..2].concat();
        let error = error(which, Reply::stream(begin + &which.framed(&event.to_string()))).await;
        assert!(matches!(error, ProviderError::Failed(_)), "{which:?}: {error}");
        let in_json = self::error(which, Reply::json("200 OK", &event)).await;
        assert!(matches!(in_json, ProviderError::Failed(_)), "{which:?}: {in_json}");
    }
}

#[tokio::test]
async fn what_is_no_event_stream_is_not_read() {
    for which in ALL {
        let page = Reply::new("200 OK", &["content-type: text/html"]).piece("<html>Log in</html>");
        let error_of_page = error(which, page).await;
        assert!(
            matches!(&error_of_page, ProviderError::Malformed(why) if why.contains("text/html")),
            "{error_of_page}"
        );
        let broken = error(which, Reply::stream("data: {\"choices\": [\n\n")).await;
        assert!(matches!(broken, ProviderError::Malformed(_)), "{which:?}: {broken}");
        let binary = error(which, Reply::stream(b"data: \xff\xfe\n\n".to_vec())).await;
        assert!(matches!(binary, ProviderError::Malformed(_)), "{which:?}: {binary}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    for which in ALL {
        let line = error(which, Reply::stream("data: ").piece("x".repeat(60_000)).endless()).await;
        assert!(matches!(line, ProviderError::TooLarge { .. }), "{which:?}: {line}");
        let comments = error(which, Reply::stream(": wait\n\n").piece(": wait\n".repeat(10_000)).endless()).await;
        assert!(matches!(comments, ProviderError::TooLarge { .. }), "{which:?}: {comments}");
        let body =
            error(which, Reply::new("500 ", &["content-type: text/plain"]).piece("x".repeat(60_000)).endless()).await;
        assert_eq!(body, ProviderError::Failed("HTTP 500".into()), "{which:?}");
    }
}

#[tokio::test]
async fn nobody_is_followed_elsewhere() {
    for which in ALL {
        let elsewhere = Played::always(Reply::stream(which.recorded())).await;
        for status in ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"] {
            let there = format!("location: {}/v1/chat/completions?secret=1", elsewhere.base);
            let error = error(which, Reply::new(status, &[&there])).await;
            let ProviderError::Refused(why) = &error else { panic!("{error}") };
            assert!(why.contains("SYNAPTI_AI_BASE_URL") && !why.contains("secret"), "{why}");
        }
        assert!(elsewhere.requests().is_empty(), "{which:?} followed");
    }
}

#[tokio::test]
async fn a_key_is_in_a_header_and_nowhere_else() {
    for which in ALL {
        let echo = json!({"error": {"message": format!("Incorrect API key provided: {KEY}. Bearer {KEY}")}});
        let server = Played::always(Reply::json("401 ", &echo)).await;
        let provider = which.at(&server.base);
        let error = error_of(&*provider).await;
        assert!(error.to_string().contains("Incorrect API key provided: (hidden)"), "{error}");
        assert!(!format!("{error:?} {provider:?}").contains(KEY), "{error:?} {provider:?}");
        let request = server.requests().remove(0);
        let (line, headers) = request.head.split_once("\r\n").unwrap();
        assert!(!line.contains(KEY) && !request.body.to_string().contains(KEY), "{line}");
        assert!(headers.contains(KEY), "{which:?} sent no key");
    }
}
