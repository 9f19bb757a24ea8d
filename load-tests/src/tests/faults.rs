//! Servers that lose or change something: never a figure.

use super::Relay;
use crate::relay::Behaviour;

#[test]
fn one_frame_that_is_dropped_fails_the_run() {
    let relay = Relay::start(Behaviour { drop_every: Some(31), ..Behaviour::default() });
    let error = relay.load("fanout --viewers 5 --rate 40 --seconds 1 --warmup 0 --is-relay").unwrap_err().to_string();
    assert!(error.contains("deliveries are missing"), "{error}");
}

#[test]
fn one_byte_that_is_changed_fails_the_run() {
    let relay = Relay::start(Behaviour { change_every: Some(31), ..Behaviour::default() });
    let error = relay.load("fanout --viewers 5 --rate 20 --seconds 1 --warmup 0 --is-relay").unwrap_err();
    let error = format!("{error:#}");
    assert!(error.contains("is not that of an editor") || error.contains("missing"), "{error}");
}

#[test]
fn a_relay_that_claims_to_keep_documents_is_found_out() {
    let error = Relay::start(Behaviour::default()).load("fanout --viewers 2 --seconds 1 --warmup 0").unwrap_err();
    assert!(format!("{error:#}").contains("a client that joined in the end"), "{error:#}");
}

#[test]
fn an_edit_that_is_lost_to_one_that_did_not_read_fails_the_run() {
    let relay = Relay::start(Behaviour { drop_every: Some(31), ..Behaviour::default() });
    let arguments = "slow --viewers 3 --stopped 1 --rate 50 --edit-bytes 10 --seconds 1 --is-relay";
    assert!(relay.load(arguments).unwrap_err().to_string().contains("missing"));
}

#[test]
fn a_server_that_acknowledges_nothing_is_no_server_for_acks() {
    let error = Relay::start(Behaviour::default()).load("acks --rooms 2 --rate 10 --seconds 1").unwrap_err();
    assert!(format!("{error:#}").contains("does not speak synapti.v1"), "{error:#}");
}
