//! What cannot be mended ends with words, on every transport.

use synapti_crdt::map::{MapEdit, NewNode};
use synapti_server::{
    auth::Role,
    remote::{Choice, Closed, Event, http::Ask, http::Http},
};

use crate::{
    played::{Manners, Proxy, Upgrades},
    support::{EVERY, Person, Running, map, token},
};

async fn closed(person: &mut Person) -> Closed {
    match person.until("the end", |event| matches!(event, Event::Closed(_))).await {
        Event::Closed(closed) => closed,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_is_told_why() {
    let server = Running::guarded().await;
    for transport in EVERY {
        let mut nobody = Person::editor(map(server.address, "m"), Choice::Only(transport));
        let closed = closed(&mut nobody).await;
        assert!([401, 4401].contains(&closed.code) && !closed.reason.is_empty(), "{transport:?}: {closed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_viewer_looks_and_does_not_edit() {
    let server = Running::guarded().await;
    let url = map(server.address, "m");
    let mut owner = Person::with_token(url.clone(), &token(Role::Owner), Choice::Auto);
    owner.synced().await;
    let number = owner.add("a");
    owner.saved(number).await;
    for transport in EVERY {
        let mut viewer = Person::with_token(url.clone(), &token(Role::Viewer), Choice::Only(transport));
        // Polling says what somebody may do when they try.
        let add = MapEdit::AddNode(NewNode::new(format!("{transport:?}"), "x"));
        let _ = viewer.link.edit(&add);
        let closed = closed(&mut viewer).await;
        assert!([403, 4403].contains(&closed.code) && !closed.reason.is_empty(), "{transport:?}: {closed:?}");
    }
    let mut again = Person::with_token(url, &token(Role::Owner), Choice::Auto);
    again.sees(&["a".to_owned()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_map_that_is_deleted_ends_watching_it() {
    let server = Running::start(&[]).await;
    for transport in EVERY {
        let id = format!("m-{}", transport.as_str());
        let mut editor = Person::editor(map(server.address, &id), Choice::Auto);
        editor.synced().await;
        let number = editor.add("a");
        editor.saved(number).await;
        let mut person = Person::observer(map(server.address, &id), Choice::Only(transport));
        person.synced().await;
        let http = Http::new(map(server.address, &id).server().clone(), None);
        let mut ask = Ask::get(format!("/v1/graphs/{id}"), std::time::Duration::from_secs(20), 1 << 20);
        ask.method = hyper::Method::DELETE;
        http.ask(ask).await.unwrap();
        let closed = closed(&mut person).await;
        assert!([410, 4410].contains(&closed.code), "{transport:?}: {closed:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_choose_is_told_what_is_in_the_way() {
    let server = Running::start(&[]).await;
    let manners = Manners { upgrades: Upgrades::Refused, gathers_events: true, ..Manners::default() };
    let proxy = Proxy::before(server.address, manners).await;
    for (transport, words) in [(EVERY[0], "refused: 403"), (EVERY[1], "a proxy may gather it")] {
        let mut person = Person::observer(map(proxy.address, "m"), Choice::Only(transport));
        let closed = closed(&mut person).await;
        assert!(closed.reason.contains(words), "{closed:?}");
    }
}
