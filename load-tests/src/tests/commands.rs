//! What the commands measure on a server that is right.

use std::time::Duration;

use super::{Relay, json};
use crate::{relay::Behaviour, wire::Address};

fn relay() -> Relay {
    Relay::start(Behaviour::default())
}

/// A server that keeps documents.
fn keeper() -> Relay {
    Relay::start(Behaviour { keeps: true, ..Behaviour::default() })
}

#[test]
fn fanout_counts_every_edit_at_every_viewer() {
    let report =
        json(&relay().load("fanout --viewers 5 --rate 20 --seconds 1 --warmup 0 --presence --is-relay").unwrap());
    assert_eq!(report["figures"][0]["samples"], 5 * 20);
    assert!(report["figures"][0]["p50_ms"].as_f64().unwrap() > 0.0);
    assert_eq!(report["bars"].as_array().unwrap().len(), 0, "there are bars for two shapes, and this is neither");
}

#[test]
fn fanout_compares_with_the_document_that_the_server_keeps() {
    let report = keeper().load("fanout --viewers 2 --rate 20 --seconds 1 --warmup 0").unwrap();
    assert_eq!(json(&report)["figures"][0]["samples"], 2 * 20);
}

#[test]
fn rooms_count_an_edit_at_everybody_but_its_author() {
    let report = json(&relay().load("rooms --rooms 3 --editors 4 --rate 5 --seconds 1 --is-relay").unwrap());
    assert_eq!(report["figures"][0]["samples"], 3 * 4 * 5 * 3);
}

#[test]
fn a_step_of_max_is_kept_by_a_server_that_is_not_busy() {
    let report = json(&relay().load("max --viewers 3 --at 100 --seconds 1 --is-relay").unwrap());
    // And at the editors that did not make it.
    assert_eq!(report["figures"][0]["samples"], 100 * (3 + 7));
    assert_eq!(report["figures"][0]["name"], "server: at 100 edits/s (in time)");
}

#[test]
fn join_checks_that_everybody_has_the_whole_map() {
    let report = json(&keeper().load("join --clients 5 --nodes 600").unwrap());
    assert_eq!(report["figures"][0]["samples"], 5);
    let error = relay().load("join --clients 2 --nodes 600").unwrap_err().to_string();
    assert!(error.contains("is not the one that was written"), "{error}");
}

#[test]
fn idle_connections_stay_and_hear_of_each_other() {
    let report = json(&relay().load("idle --connections 6 --rooms 2 --seconds 1 --is-relay").unwrap());
    assert!(report["about"].as_str().unwrap().starts_with("6 connections in 2 rooms"));
    assert_eq!(report["bars"].as_array().unwrap().len(), 0, "nobody said whose memory to look at");
}

#[test]
fn the_relay_is_reached_from_another_address_of_this_machine() {
    let relay = relay();
    let url = format!("ws://{}/v1/ws", relay.address);
    let from = std::net::IpAddr::from([127, 0, 0, 2]);
    let opened = tokio::runtime::Runtime::new().unwrap().block_on(async {
        let address = Address::resolve(&url, Duration::from_secs(15)).await?.from(from);
        address.open("room").await
    });
    assert_eq!(opened.unwrap().0.local_addr().unwrap().ip(), from);
}

#[test]
fn viewers_that_stopped_reading_have_everything_in_the_end() {
    let arguments = "slow --viewers 4 --stopped 2 --rate 50 --edit-bytes 100 --seconds 1 --is-relay";
    let report = json(&relay().load(arguments).unwrap());
    let samples = |run: usize| report["figures"][run]["samples"].as_u64().unwrap();
    assert_eq!([samples(0), samples(1)], [4 * 50, 2 * 50], "those that do not read are not measured");
    assert_eq!(report["bars"][0]["met"], true);
}

#[test]
fn viewers_stop_reading_and_read_again_in_turn() {
    let arguments = "stopped --viewers 4 --stopped 2 --rate 50 --edit-bytes 100 --seconds 1 --pairs 2 --is-relay";
    let report = json(&relay().load(arguments).unwrap());
    let samples = |window: usize| report["figures"][window]["samples"].as_u64().unwrap();
    // The last edit of a window comes when all read again.
    assert_eq!([0, 1, 2, 3].map(samples), [2 * 49; 4], "those that do not read are never measured");
    let names: Vec<_> = report["bars"].as_array().unwrap().iter().map(|bar| bar["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["they have everything after reading again"], "nobody said whose memory to look at");
}

#[test]
fn what_a_process_uses_is_measured_when_it_is_known() {
    let pid = std::process::id();
    let report = relay().load(&format!("fanout --viewers 2 --seconds 1 --warmup 0 --is-relay --pid {pid}")).unwrap();
    let facts = json(&report)["facts"].as_array().unwrap().clone();
    let cpu = facts.iter().find(|fact| fact["name"] == "server: CPU per delivery").unwrap();
    assert!(cpu["values"][0].as_f64().unwrap() > 0.0);
}
