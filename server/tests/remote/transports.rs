//! Copies stay the same, whatever carries them and whatever breaks.

use futures_util::SinkExt as _;
use synapti_protocol::{
    awareness::{self, AwarenessEntry},
    message,
};
use synapti_server::remote::{Choice, Event, Person as Human, Transport};

use crate::{
    played::{Manners, Proxy, Upgrades},
    support::{EVERY, Person, Running, map, soon},
};

async fn agree(people: &mut [Person], nodes: &[String]) {
    for person in people.iter_mut() {
        person.sees(nodes).await;
    }
    let first = people[0].link.replica().digest();
    assert!(people.iter().all(|person| person.link.replica().digest() == first));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_transport_watches_while_each_other_edits() {
    let server = Running::start(&[]).await;
    let url = map(server.address, "m");
    let mut people: Vec<Person> =
        EVERY.into_iter().map(|transport| Person::observer(url.clone(), Choice::Only(transport))).collect();
    for (person, transport) in people.iter_mut().zip(EVERY) {
        assert_eq!(person.connected().await, transport);
        person.synced().await;
    }
    let mut nodes = Vec::new();
    for transport in EVERY {
        let mut editor = Person::editor(url.clone(), Choice::Only(transport));
        editor.synced().await;
        for n in 0..5 {
            let id = format!("{}-{n}", transport.as_str());
            let number = editor.add(&id);
            nodes.push(id);
            if n == 2 {
                editor.saved(number).await;
                assert_eq!(editor.link.pending(), 0);
            }
        }
        editor.saved(5).await;
        people.push(editor);
        agree(&mut people, &nodes).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_mid_way_is_made_up_for() {
    let server = Running::start(&[]).await;
    let proxy = Proxy::before(server.address, Manners::default()).await;
    for transport in EVERY {
        let id = format!("m-{}", transport.as_str());
        let mut other = Person::editor(map(server.address, &id), Choice::Auto);
        let mut person = Person::editor(map(proxy.address, &id), Choice::Only(transport));
        other.synced().await;
        person.synced().await;
        let number = person.add("before");
        person.saved(number).await;

        proxy.behave(Manners { is_down: true, ..Manners::default() });
        proxy.cut();
        person.until("the loss is seen", |event| matches!(event, Event::Disconnected { .. })).await;
        let mine = person.add("mine, meanwhile");
        other.sees(&["before".to_owned()]).await;
        let theirs = other.add("theirs, meanwhile");
        other.saved(theirs).await;
        assert_eq!(person.link.pending(), 1);

        proxy.behave(Manners::default());
        assert_eq!(person.connected().await, transport);
        person.saved(mine).await;
        let nodes = ["before", "mine, meanwhile", "theirs, meanwhile"].map(str::to_owned);
        agree(&mut [person, other], &nodes).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_choose_takes_what_gets_through() {
    let server = Running::start(&[]).await;
    let refuses = Manners { upgrades: Upgrades::Refused, ..Manners::default() };
    let gathers = Manners { gathers_events: true, ..refuses };
    for (manners, taken) in [
        (Manners::default(), Transport::Ws),
        (refuses, Transport::Sse),
        (gathers, Transport::Poll),
        (Manners { upgrades: Upgrades::Swallowed, ..gathers }, Transport::Poll),
    ] {
        let proxy = Proxy::before(server.address, manners).await;
        let mut person = Person::editor(map(proxy.address, "m"), Choice::Auto);
        assert_eq!(person.connected().await, taken, "{manners:?}");
        person.synced().await;
        let number = person.add(taken.as_str());
        if person.link.pending() > 0 {
            person.saved(number).await;
        }
        // Each run adds what the next one finds.
        if taken == Transport::Poll {
            break;
        }
    }
    let proxy = Proxy::before(server.address, Manners { upgrades: Upgrades::Swallowed, ..gathers }).await;
    let mut person = Person::observer(map(proxy.address, "m"), Choice::Auto);
    assert_eq!(person.connected().await, Transport::Poll);
    person.sees(&["poll", "sse", "ws"].map(str::to_owned)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_overloaded_server_is_polled_until_it_has_sockets_again() {
    let server = Running::start(&[]).await;
    let proxy = Proxy::before(server.address, Manners { upgrades: Upgrades::Closed(4503), ..Manners::default() }).await;
    let mut person = Person::editor(map(proxy.address, "m"), Choice::Auto);
    let polls = |event: &Event| *event == Event::Connected(Transport::Poll);
    person.until("polling", polls).await;
    proxy.behave(Manners::default());
    person.until("a socket again", |event| *event == Event::Connected(Transport::Ws)).await;
    let number = person.add("a");
    person.saved(number).await;
    soon("goodbye", person.link.close()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_are_seen_coming_and_going() {
    let server = Running::start(&[]).await;
    let url = map(server.address, "m");
    let mut watching: Vec<Person> =
        [Transport::Ws, Transport::Sse].map(|transport| Person::observer(url.clone(), Choice::Only(transport))).into();
    for person in &mut watching {
        person.synced().await;
    }
    let stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let (mut ada, _) =
        tokio_tungstenite::client_async(format!("ws://{}/v1/ws/m", server.address), stream).await.unwrap();
    let said = [AwarenessEntry { client: 7, clock: 1, state: r#"{"user":{"name":"Ada"}}"# }];
    let message = message::encode_awareness(&awareness::encode(&said));
    ada.send(tokio_tungstenite::tungstenite::Message::binary(message)).await.unwrap();
    let named = |people: &[Human]| people.iter().any(|person| person.name == "Ada");
    for person in &mut watching {
        person.until("Ada comes", |event| matches!(event, Event::Presence(seen) if named(&seen.came))).await;
        assert!(named(&person.link.people()));
    }
    let mut polling = Person::observer(url, Choice::Only(Transport::Poll));
    polling.until("Ada is there", |event| matches!(event, Event::Presence(seen) if named(&seen.came))).await;
    drop(ada);
    for person in &mut watching {
        person.until("Ada goes", |event| matches!(event, Event::Presence(seen) if named(&seen.went))).await;
        assert!(person.link.people().is_empty());
    }
}
