//! What a provider is asked, and what is done about one that does not understand it.

use serde_json::{Value, json};
use synapti_server::ai::provider::ProviderError;

use super::{
    Which, all, error_of,
    played::{Played, Reply},
    text_of,
};

fn objects(message: &str) -> Reply {
    Reply::json("400 Bad Request", &json!({"error": {"message": message}}))
}

/// Asks until the server is content; all bodies that it was sent.
async fn asked(which: Which, objections: &[&str]) -> Vec<Value> {
    let mut replies: Vec<Reply> = objections.iter().map(|message| objects(message)).collect();
    replies.push(Reply::stream(which.recorded()));
    let server = Played::start(replies).await;
    let provider = which.at(&server.base);
    let (pieces, error) = all(&*provider).await;
    assert_eq!((text_of(&pieces).as_str(), error), (which.expected().0, None));
    let first = server.requests().len();
    assert_eq!(first, objections.len() + 1);
    // Once it is known, nobody asks in vain.
    assert_eq!(all(&*provider).await.1, None);
    let requests = server.requests();
    assert_eq!(requests.len(), first + 1);
    assert_eq!(requests[first].body, requests[first - 1].body);
    requests.into_iter().map(|request| request.body).collect()
}

#[tokio::test]
async fn openai_is_asked_for_a_stream_of_json() {
    let server = Played::always(Reply::stream(Which::OpenAi.recorded())).await;
    assert_eq!(all(&*Which::OpenAi.at(&server.base)).await.1, None);
    let request = server.requests().remove(0);
    assert!(request.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", request.head);
    let body = request.body;
    assert_eq!((&body["model"], &body["stream"], &body["max_tokens"]), (&json!("a-model"), &json!(true), &json!(1000)));
    assert_eq!(body["stream_options"], json!({"include_usage": true}));
    assert_eq!(body["messages"][1], json!({"role": "user", "content": "Tea, please."}));
    let format = &body["response_format"]["json_schema"];
    assert_eq!((&format["name"], &format["strict"]), (&json!("nodes"), &json!(true)));
    let nodes = &format["schema"]["properties"]["nodes"];
    assert_eq!((&nodes["maxItems"], &nodes["items"]), (&json!(3), &json!({"type": "string"})));
}

#[tokio::test]
async fn a_server_that_knows_less_is_asked_for_less() {
    let bodies =
        asked(Which::OpenAi, &["response_format json_schema is not supported", "json_object? no: response_format"])
            .await;
    assert_eq!(bodies[1]["response_format"], json!({"type": "json_object"}));
    assert_eq!(bodies[2].get("response_format"), None);
    assert!(
        bodies[2]["messages"][0]["content"].as_str().unwrap().contains("maxItems"),
        "the schema stands in the text"
    );

    let bodies = asked(
        Which::OpenAi,
        &["Unknown field stream_options", "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."],
    )
    .await;
    assert_eq!(bodies[1].get("stream_options"), None);
    assert_eq!((bodies[2].get("max_tokens"), &bodies[2]["max_completion_tokens"]), (None, &json!(1000)));

    let bodies = asked(
        Which::Anthropic,
        &["This model does not support the effort parameter.", "output_config.format: not supported", "no tools here"],
    )
    .await;
    assert_eq!(bodies[0]["output_config"]["effort"], "low");
    assert_eq!(bodies[0]["output_config"]["format"]["type"], "json_schema");
    assert_eq!(bodies[1]["output_config"].get("effort"), None);
    assert_eq!(bodies[2]["tool_choice"], json!({"type": "tool", "name": "nodes"}));
    assert_eq!(bodies[2].get("output_config"), None);
    assert_eq!(bodies[3].get("tools"), None);

    let bodies =
        asked(Which::Gemini, &["Unknown name \"responseJsonSchema\"", "JSON mode is not enabled for this model"]).await;
    assert_eq!(bodies[0]["generationConfig"]["responseJsonSchema"]["required"], json!(["nodes"]));
    assert_eq!(bodies[1]["generationConfig"], json!({"maxOutputTokens": 1000, "responseMimeType": "application/json"}));
    assert_eq!(bodies[2]["generationConfig"], json!({"maxOutputTokens": 1000}));
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_not_asked_for_ever() {
    let message =
        "max_tokens and max_completion_tokens: unsupported, unknown; response_format, effort, tool, schema, thinking";
    for which in super::ALL {
        let server = Played::always(objects(message)).await;
        let error = error_of(&*which.at(&server.base)).await;
        assert!(matches!(error, ProviderError::Refused(_)), "{error}");
        assert!((2..=8).contains(&server.requests().len()), "{which:?}: {}", server.requests().len());
    }
    let server = Played::always(objects("Your prompt is too long")).await;
    assert!(matches!(error_of(&*Which::OpenAi.at(&server.base)).await, ProviderError::Refused(_)));
    assert_eq!(server.requests().len(), 1, "that is no matter of what it knows");
}

#[tokio::test]
async fn anthropic_and_gemini_are_asked_where_they_are() {
    for suffix in ["", "/", "/v1"] {
        let server = Played::always(Reply::stream(Which::Anthropic.recorded())).await;
        assert_eq!(all(&*Which::Anthropic.at(&format!("{}{suffix}", server.base))).await.1, None);
        let request = server.requests().remove(0);
        assert!(request.head.starts_with("POST /v1/messages HTTP/1.1\r\n"), "{}", request.head);
        assert!(request.head.contains("anthropic-version: 2023-06-01"), "{}", request.head);
        assert_eq!(
            (&request.body["system"], &request.body["max_tokens"]),
            (&json!("You make mind maps."), &json!(1000))
        );
    }
    for suffix in ["", "/v1beta"] {
        let server = Played::always(Reply::stream(Which::Gemini.recorded())).await;
        assert_eq!(all(&*Which::Gemini.at(&format!("{}{suffix}", server.base))).await.1, None);
        let request = server.requests().remove(0);
        assert!(
            request.head.starts_with("POST /v1beta/models/a-model:streamGenerateContent?alt=sse HTTP/1.1\r\n"),
            "{}",
            request.head
        );
        assert_eq!(request.body["contents"][0]["parts"][0]["text"], "Tea, please.");
        assert_eq!(request.body["systemInstruction"]["parts"][0]["text"], "You make mind maps.");
    }
}
