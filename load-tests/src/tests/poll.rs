//! Clients that poll, on a server that is right and on some that are not.

use super::{json, load};
use crate::{
    relay::stand::{Fault, Stand},
    report::Report,
};

fn measure(fault: Fault, arguments: &str) -> anyhow::Result<Report> {
    let stand = Stand::start(fault);
    load(&format!("poll {arguments} --url {}", stand.url()))
}

fn error(fault: Fault, arguments: &str) -> String {
    format!("{:#}", measure(fault, arguments).unwrap_err())
}

const WAITING: &str = "--waiting 7 --rooms 2 --seconds 1";
const LATENCY: &str = "--latency --rate 20 --seconds 1";

#[test]
fn all_that_wait_are_told_in_every_round() {
    let report = json(&measure(Fault::None, WAITING).unwrap());
    let figures = report["figures"].as_array().unwrap();
    let names: Vec<_> = figures.iter().map(|figure| figure["name"].as_str().unwrap()).collect();
    let expected = ["polls, round 1", "polls, round 2", "WebSockets, round 1", "WebSockets, round 2"];
    assert!(names.iter().zip(expected).all(|(name, expected)| name.starts_with(expected)), "{names:?}");
    assert!(figures.len() == 4 && figures.iter().all(|figure| figure["samples"] == 7));
    assert_eq!(report["bars"].as_array().unwrap().len(), 0, "nobody said whose memory to look at");
}

#[test]
fn memory_is_measured_of_a_process_that_is_known() {
    let report = json(&measure(Fault::None, &format!("{WAITING} --rounds 1 --pid {}", std::process::id())).unwrap());
    let facts = report["facts"].as_array().unwrap();
    let peak = facts.iter().find(|fact| fact["name"] == "polls: resident memory of the server, peak").unwrap();
    assert!(peak["values"][0].as_f64().unwrap() > 1.0);
    assert_eq!(report["bars"].as_array().unwrap().len(), 0, "so few do not show what one costs");
}

#[test]
fn an_edit_is_timed_on_all_three_ways() {
    let report = json(&measure(Fault::None, LATENCY).unwrap());
    let figures = report["figures"].as_array().unwrap();
    assert!(figures.len() == 3 && figures.iter().all(|figure| figure["samples"] == 20), "{figures:?}");
    assert_eq!(report["facts"].as_array().unwrap().len(), 2);
    assert!(report["bars"][0]["measured"].is_f64());
}

#[test]
fn an_edit_that_is_lost_to_a_poll_fails_the_run() {
    let waiting = error(Fault::ForgetsPolls, WAITING);
    assert!(waiting.contains("answered with 204 without the edit"), "{waiting}");
    let latency = error(Fault::StopsEvents, LATENCY);
    assert!(latency.contains("the server closed the connection"), "{latency}");
}

#[test]
fn an_edit_that_is_not_on_disk_when_it_is_answered_fails_the_run() {
    let error = error(Fault::SavesNothing, WAITING);
    assert!(error.contains("is not on disk"), "{error}");
}

#[test]
fn a_wait_that_no_poll_survives_is_refused() {
    for (arguments, reason) in [("--seconds 31", "at most 30"), ("--waiting 3 --rooms 4", "at most --waiting")] {
        let error = load(&format!("poll {arguments} --binary synapti")).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
}
