//! What a server asks a model, as it stands in the request.

use anyhow::{Context as _, ensure};
use memchr::memmem;
use serde_json::Value;

/// Bytes of a request at most: far more than any prompt of a measurement has.
const ASK_BYTES_MAX: usize = 1 << 20;

const HEAD_END: &[u8] = b"\r\n\r\n";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
pub enum Ask {
    /// Children of the node with this title.
    Expand(String),
    /// The first nodes of a map of this topic.
    Generate(String),
    /// What a map is worth.
    Coherence,
}

/// A request and the bytes that it takes; `None` while it is not whole.
pub fn parse(received: &[u8]) -> anyhow::Result<Option<(Ask, usize)>> {
    ensure!(received.len() <= ASK_BYTES_MAX, "the server's request does not end");
    let Some(end) = memmem::find(received, HEAD_END) else { return Ok(None) };
    let head = std::str::from_utf8(&received[..end]).context("the server asks with something that is not HTTP")?;
    ensure!(head.starts_with("POST /v1/chat/completions "), "the server asks for something else: {head}");
    let length = head.split("\r\n").filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let begin = end + HEAD_END.len();
    let whole = begin.saturating_add(length.context("the server does not say how long its request is")?);
    let Some(body) = received.get(begin..whole) else { return Ok(None) };
    let body: Value = serde_json::from_slice(body).context("the server's request is not JSON")?;
    Ok(Some((ask_of(&body).with_context(|| format!("the request is not understood: {body}"))?, whole)))
}

fn ask_of(body: &Value) -> Option<Ask> {
    let user = body["messages"].as_array()?.iter().find(|message| message["role"] == "user")?["content"].as_str()?;
    let (_, data) = user.split_once("<map>")?;
    let (data, _) = data.split_once("</map>")?;
    let data: Value = serde_json::from_str(data).ok()?;
    Some(match body["response_format"]["json_schema"]["name"].as_str()? {
        "sub_concepts" => Ask::Expand(data["node"]["title"].as_str()?.to_owned()),
        "map_nodes" => Ask::Generate(data["topic"].as_str()?.to_owned()),
        "coherence" => Ask::Coherence,
        _ => return None,
    })
}

#[cfg(test)]
pub mod tests {
    use serde_json::json;

    use super::*;

    /// A request as a server sends it.
    pub fn request(schema: &str, data: &Value) -> Vec<u8> {
        let body = json!({
            "messages": [{"role": "system", "content": "rules"}, {"role": "user", "content": format!("<map>\n{data}\n</map>\n\nGo.")}],
            "response_format": {"type": "json_schema", "json_schema": {"name": schema}},
        })
        .to_string();
        let head = format!("POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n", body.len());
        (head + &body).into_bytes()
    }

    #[test]
    fn a_request_is_whole_with_its_last_byte_and_not_before() {
        let bytes = request("sub_concepts", &json!({"topic": "t", "node": {"title": "Light"}}));
        for cut in 0..bytes.len() {
            assert_eq!(parse(&bytes[..cut]).unwrap(), None, "{cut}");
        }
        let two = [&bytes[..], b"POST"].concat();
        assert_eq!(parse(&two).unwrap(), Some((Ask::Expand("Light".to_owned()), bytes.len())));
    }

    #[test]
    fn the_schema_says_what_is_asked() {
        let asked = |schema, data| parse(&request(schema, &data)).map(|found| found.unwrap().0);
        assert_eq!(asked("map_nodes", json!({"topic": "Sun"})).unwrap(), Ask::Generate("Sun".to_owned()));
        assert_eq!(asked("coherence", json!({"topic": "Sun"})).unwrap(), Ask::Coherence);
        assert!(asked("poems", json!({"topic": "Sun"})).is_err());
        assert!(asked("sub_concepts", json!({"topic": "Sun"})).is_err());
        assert!(parse(b"GET / HTTP/1.1\r\n\r\n").is_err());
        assert!(parse(b"POST /v1/chat/completions HTTP/1.1\r\n\r\n").is_err(), "no length");
    }
}
