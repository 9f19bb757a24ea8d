//! Who gets into a room over a socket, and what they may do there.

use synapti_protocol::message::{Message, encode_awareness, encode_step2, parse};
use synapti_server::{auth::mint::NewToken, clock::Clock};

use crate::support::{Client, Running, WsClient, awareness, states_of};

const SECRET: &str = "correct horse battery staple 0123456789";

async fn guarded() -> Running {
    Running::start(&[("SYNAPTI_AUTH_MODE", "required"), ("SYNAPTI_AUTH_SECRET", SECRET)]).await
}

fn token_for(seconds: u32, graphs: &[(&str, &str)]) -> String {
    let mut token = NewToken::new("ada", Clock::system().now(), seconds);
    token.graphs = graphs.iter().map(|(graph, role)| ((*graph).to_owned(), (*role).into())).collect();
    token.sign(SECRET)
}

fn token(graphs: &[(&str, &str)]) -> String {
    token_for(600, graphs)
}

async fn join_as(server: &Running, role: &str, query: &str) -> WsClient {
    let bearer = format!("Bearer {}", token(&[("map", role)]));
    server.connect_showing(&format!("map{query}"), &[("authorization", &bearer)]).await.0
}

#[tokio::test]
async fn a_token_comes_in_each_way_and_is_never_echoed() {
    let server = guarded().await;
    let token = token(&[("map", "owner")]);
    let greeted = async |(mut ws, subprotocol): (WsClient, String), expected: &str| {
        assert_eq!(subprotocol, expected);
        ws.sync(&mut Client::new(1)).await;
    };
    let bearer = format!("Bearer {token}");
    greeted(server.connect_showing("map", &[("authorization", &bearer)]).await, "").await;
    let beside = format!("bearer.{token}, y-sync");
    greeted(server.connect_showing("map", &[("sec-websocket-protocol", &beside)]).await, "y-sync").await;
    let beside = format!("synapti.v1, bearer.{token}");
    greeted(server.connect_showing("map", &[("sec-websocket-protocol", &beside)]).await, "synapti.v1").await;
    greeted(server.connect_showing(&format!("map?token={token}"), &[]).await, "").await;
    let ticket = server.ticket(&token, "").await;
    greeted(server.connect_showing(&format!("map?x=1&ticket={ticket}"), &[]).await, "").await;
    server.ended().await.unwrap();
}

#[tokio::test]
async fn who_may_not_come_in_is_told_why() {
    let server = guarded().await;
    server.connect_showing("map", &[("authorization", &format!("Bearer {}", token(&[("map", "owner")])))]).await;
    let refusal = async |path: &str, headers: &[(&'static str, &str)]| {
        server.connect_showing(path, headers).await.0.refusal().await
    };
    let with = |token: &str| format!("Bearer {token}");
    let good = token(&[("map", "owner"), ("missing", "viewer")]);
    let mut expired = NewToken::new("ada", Clock::system().now(), 0);
    expired.exp -= 60;
    let cases = [
        ("map", None, 4401, "asks for a token"),
        ("map", Some(with("a.b.c")), 4401, "not a JWT"),
        ("map", Some(with(&expired.sign(SECRET))), 4401, "token expired"),
        ("map", Some(with(&expired.sign("another secret of more than 32 bytes"))), 4401, "signature"),
        ("map", Some("Basic dTpw".to_owned()), 4401, "Authorization: Bearer"),
        ("map", Some(with(&token(&[("other", "owner")]))), 4403, "this graph"),
        ("nowhere", Some(with(&good)), 4403, "this graph"),
        ("missing", Some(with(&good)), 4404, ""),
        ("a%20b", Some(with(&good)), 4400, "graph id"),
    ];
    for (path, authorization, code, words) in cases {
        let headers: Vec<_> = authorization.iter().map(|value| ("authorization", value.as_str())).collect();
        let (closed_with, reason) = refusal(path, &headers).await;
        assert_eq!(closed_with, code, "{path}: {reason}");
        assert!(reason.contains(words), "{path}: {reason}");
    }
    let two = refusal(&format!("map?token={good}"), &[("authorization", &with(&good))]).await;
    assert_eq!(two.0, 4400, "{}", two.1);
    let long = refusal(&format!("map?token={}", token_for(3700, &[("map", "owner")])), &[]).await;
    assert!(long.0 == 4401 && long.1.contains("within the hour"), "{long:?}");
    let foreign = refusal("map", &[("authorization", &with(&good)), ("origin", "https://evil.example")]).await;
    assert!(foreign.0 == 4403 && foreign.1.contains("origin"), "{foreign:?}");
    server.ended().await.unwrap();
}

#[tokio::test]
async fn a_ticket_opens_one_socket_on_its_graph() {
    let server = guarded().await;
    let token = token(&[("map", "owner"), ("other", "owner")]);
    let knock = async |graph: &str, ticket: &str| {
        let mut ws = server.connect_showing(&format!("{graph}?ticket={ticket}"), &[]).await.0;
        ws.next().await.err()
    };
    let ticket = server.ticket(&token, "").await;
    assert_eq!(knock("map", &ticket).await, None);
    assert_eq!(knock("map", &ticket).await, Some(4401));
    let for_map = server.ticket(&token, r#"{"graph_id":"map"}"#).await;
    assert_eq!(knock("other", &for_map).await, Some(4403));
    assert_eq!(knock("map", &for_map).await, Some(4401), "it was used up");
    server.ended().await.unwrap();
}

#[tokio::test]
async fn editors_make_maps_and_readers_do_not() {
    let server = guarded().await;
    for role in ["viewer", "commenter"] {
        assert_eq!(join_as(&server, role, "").await.closed().await, 4404, "{role}");
    }
    join_as(&server, "editor", "").await.sync(&mut Client::new(1)).await;
    join_as(&server, "viewer", "").await.sync(&mut Client::new(2)).await;
    server.ended().await.unwrap();
}

#[tokio::test]
async fn a_reader_sees_and_is_seen_and_changes_nothing() {
    let server = guarded().await;
    let (mut ann, mut eve) = (Client::new(1), Client::new(2));
    let mut ann_ws = join_as(&server, "owner", "").await;
    ann_ws.sync(&mut ann).await;
    ann_ws.update(&ann.add("a")).await;
    let mut eve_ws = join_as(&server, "viewer", "").await;
    eve_ws.sync(&mut eve).await;
    eve_ws.until(&mut eve, "a").await;

    for node in ["x", "y"] {
        eve_ws.update(&eve.add(node)).await;
    }
    eve_ws.send(encode_step2(&Client::new(3).add("z"))).await;
    eve_ws.send(encode_awareness(&awareness(2, 1, "{\"name\":\"eve\"}"))).await;
    let mut denials = 0;
    // Presence is echoed after everything that came before it.
    loop {
        let frame = eve_ws.next().await.unwrap();
        match parse(&frame).unwrap() {
            Message::Auth(_) => denials += 1,
            Message::Awareness(_) if states_of(&frame).iter().any(|(client, ..)| *client == 2) => break,
            _ => {}
        }
    }
    assert_eq!(denials, 1);

    // The others see her, and nothing of what she changed; she goes on reading.
    while !matches!(parse(&ann_ws.next().await.unwrap()).unwrap(), Message::Awareness(_)) {}
    ann_ws.update(&ann.add("b")).await;
    eve_ws.until(&mut eve, "b").await;
    let mut late = Client::new(4);
    join_as(&server, "viewer", "").await.sync(&mut late).await;
    assert_eq!(late.nodes(), ["a", "b"]);
    server.ended().await.unwrap();
}

#[tokio::test]
async fn an_extended_reader_hears_its_role_and_no_acknowledgement_of_what_was_refused() {
    let server = guarded().await;
    join_as(&server, "owner", "").await.sync(&mut Client::new(1)).await;
    let mut eve_ws = join_as(&server, "viewer", "?ext=1").await;
    let first = eve_ws.next().await.unwrap();
    assert_eq!(parse(&first), Ok(Message::Notice(r#"{"kind":"role","role":"viewer"}"#)));

    // The answer to the greeting counts, though it has nothing in it.
    eve_ws.send(encode_step2(&[0, 0])).await;
    while !matches!(parse(&eve_ws.next().await.unwrap()), Ok(Message::Ack(1))) {}
    let mut eve = Client::new(2);
    eve_ws.update(&eve.add("x")).await;
    eve_ws.send(encode_step2(&[0, 0])).await;
    eve_ws.send(encode_awareness(&awareness(2, 1, "{}"))).await;
    loop {
        let frame = eve_ws.next().await.unwrap();
        match parse(&frame).unwrap() {
            Message::Ack(edits) => panic!("{edits} edits are acknowledged"),
            Message::Awareness(_) if !states_of(&frame).is_empty() => break,
            _ => {}
        }
    }
    server.ended().await.unwrap();
}

#[tokio::test]
async fn a_socket_ends_with_its_token() {
    let server = guarded().await;
    let bearer = format!("Bearer {}", token_for(2, &[("map", "owner")]));
    let (mut ws, _) = server.connect_showing("map", &[("authorization", &bearer)]).await;
    ws.sync(&mut Client::new(1)).await;
    assert_eq!(ws.refusal().await, (4401, "token expired".to_owned()));
    server.ended().await.unwrap();
}
