//! A crowd that is spread over several nodes, and command lines that no cluster comes of.

use std::time::Duration;

use tokio::runtime::{Builder, LocalOptions};

use super::{Relay, load};
use crate::{
    crowd::{self, Outcome, Plan},
    marker::Markers,
    relay::Behaviour,
    subject::{Kind, Subject},
    wire::Address,
};

/// Two editors and three viewers in each room.
const PLAN: Plan = Plan {
    rooms: 2,
    viewers: 3,
    stopped: 0,
    editors: 2,
    rate: 40,
    warmup: Duration::ZERO,
    measured: Duration::from_secs(1),
    presence: false,
    edit_bytes: 0,
};

/// A server that keeps documents.
fn keeper() -> Relay {
    Relay::start(Behaviour { keeps: true, ..Behaviour::default() })
}

/// Measures these as the nodes of one cluster.
fn crowd(nodes: &[&Relay]) -> anyhow::Result<Outcome> {
    let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let mut addresses = Vec::new();
        for node in nodes {
            let url = format!("ws://{}/v1/ws", node.address);
            addresses.push(Address::resolve(&url, Duration::from_secs(15)).await?);
        }
        let markers = Markers::new(rand::random());
        let scripts = crowd::scripts(&PLAN, &markers)?;
        let subject = Subject::of_nodes(Kind::Synapti, addresses);
        crowd::run(&subject, &PLAN, &markers, &scripts).await.and_then(Outcome::whole)
    })
}

#[test]
fn what_goes_to_the_other_node_is_told_apart() {
    let relay = keeper();
    // Both doors lead into the same house.
    let outcome = crowd(&[&relay, &relay]).unwrap();
    assert_eq!(outcome.latency.len(), 2 * 40 * 4, "to everybody but the author");
    // The first node has an editor and two viewers of each room, the second an editor and one viewer.
    assert_eq!(outcome.across.len(), 2 * (20 * 2 + 20 * 3));
}

#[test]
fn on_one_node_nothing_goes_to_another() {
    let outcome = crowd(&[&keeper()]).unwrap();
    assert_eq!((outcome.latency.len(), outcome.across.len()), (2 * 40 * 4, 0));
}

#[test]
fn nodes_that_do_not_tell_each_other_fail_the_run() {
    let error = crowd(&[&keeper(), &keeper()]).err().expect("edits do not cross").to_string();
    assert!(error.contains("deliveries are missing"), "{error}");
}

#[test]
fn a_database_that_is_no_postgres_is_refused_by_name() {
    let error = load("cluster --binary synapti --database-url sqlite:maps.db").unwrap_err().to_string();
    assert!(error.starts_with("--database-url is no address of a PostgreSQL"), "{error}");
}
