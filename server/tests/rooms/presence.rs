//! Who is in a room: each state belongs to one session, and changes leave together.

use synapti_protocol::{close::CloseCode, limits::AWARENESS_STATE_BYTES_MAX};
use synapti_server::room::{
    Entrant, Principal, SessionId,
    presence::{PRESENCE_STATES_MAX, Presence, Speaker},
};

use crate::support::{Bench, Client, Seen, awareness, states_of};

const LATER_MS: u64 = 1_000;

/// Two sessions, of which the first shows client 1 at clock 5.
fn with_ann() -> Bench {
    let mut bench = Bench::new();
    bench.join(1);
    bench.join(2);
    assert_eq!(shown(&bench.awareness(1, &awareness(1, 5, "\"ann\""))), [(1, 5, "\"ann\"".to_owned())]);
    bench.now_ms += LATER_MS;
    bench
}

fn shown(seen: &Seen) -> Vec<(u64, u32, String)> {
    seen.frames.iter().flat_map(|frame| states_of(frame)).collect()
}

fn leave(bench: &mut Bench, session: u64) -> Seen {
    bench.room.leave(SessionId(session), bench.now_ms);
    bench.now_ms += LATER_MS;
    bench.take()
}

fn everybody(bench: &mut Bench) -> Vec<(u64, u32, String)> {
    bench.join(1_000).presence.map(|frame| states_of(&frame)).unwrap_or_default()
}

#[test]
fn a_newcomer_is_told_who_is_here_and_a_leaver_is_removed() {
    let mut bench = with_ann();
    assert_eq!(states_of(&bench.join(3).presence.unwrap()), [(1, 5, "\"ann\"".to_owned())]);
    assert_eq!(shown(&leave(&mut bench, 1)), [(1, 5, "null".to_owned())]);
    assert!(bench.join(4).presence.is_none());
    assert!(leave(&mut bench, 2).is_empty(), "who showed nothing leaves silently");
}

#[test]
fn a_renewal_is_echoed_and_an_old_state_is_not() {
    let mut bench = with_ann();
    assert_eq!(shown(&bench.awareness(1, &awareness(1, 6, "\"ann\""))), [(1, 6, "\"ann\"".to_owned())]);
    bench.now_ms += LATER_MS;
    for clock in [6, 5] {
        assert!(bench.awareness(1, &awareness(1, clock, "\"old\"")).is_empty(), "{clock}");
    }
}

#[test]
fn what_is_passed_on_of_others_is_ignored() {
    let mut bench = with_ann();
    assert!(bench.awareness(2, &awareness(1, 5, "\"ann\"")).is_empty(), "an echo, before it showed itself");
    assert_eq!(shown(&bench.awareness(2, &awareness(2, 1, "\"bob\""))).len(), 1, "it still may");
    bench.now_ms += LATER_MS;
    assert!(bench.awareness(2, &awareness(1, 9, "\"fake\"")).is_empty(), "a session has one client");
    leave(&mut bench, 2);
    assert_eq!(everybody(&mut bench), [(1, 5, "\"ann\"".to_owned())]);
}

#[test]
fn an_owner_who_comes_back_on_another_connection_takes_the_state_over() {
    let mut bench = with_ann();
    assert_eq!(shown(&bench.awareness(2, &awareness(1, 6, "\"ann 2\""))), [(1, 6, "\"ann 2\"".to_owned())]);
    bench.now_ms += LATER_MS;
    assert!(leave(&mut bench, 1).is_empty(), "the old connection takes nothing with it");
    assert_eq!(everybody(&mut bench), [(1, 6, "\"ann 2\"".to_owned())]);
    assert_eq!(shown(&leave(&mut bench, 2)), [(1, 6, "null".to_owned())]);
}

#[test]
fn a_state_that_was_withdrawn_and_came_back_elsewhere_survives_the_old_connection() {
    let mut bench = with_ann();
    assert_eq!(shown(&bench.awareness(1, &awareness(1, 6, "null"))), [(1, 6, "null".to_owned())]);
    bench.now_ms += LATER_MS;
    bench.awareness(2, &awareness(1, 7, "\"back\""));
    bench.now_ms += LATER_MS;
    assert!(leave(&mut bench, 1).is_empty());
    assert_eq!(everybody(&mut bench), [(1, 7, "\"back\"".to_owned())]);
}

#[test]
fn an_echo_does_not_bring_back_who_has_gone_and_a_return_does() {
    let mut bench = with_ann();
    leave(&mut bench, 1);
    assert!(bench.awareness(2, &awareness(1, 5, "\"ann\"")).is_empty(), "who was here may be passing it on");
    bench.join(3);
    assert_eq!(shown(&bench.awareness(3, &awareness(1, 5, "\"ann\""))).len(), 1, "who came later was not told of it");
    leave(&mut bench, 3);
    assert_eq!(shown(&bench.awareness(2, &awareness(1, 6, "\"ann\""))).len(), 1, "nobody passes on a newer clock");
}

#[test]
fn who_comes_back_with_a_clock_that_others_take_for_old_is_told_to_raise_it() {
    let mut bench = with_ann();
    let said = |bench: &mut Bench, session, clock| {
        bench.room.wake_up_clock(SessionId(session), &awareness(1, clock, "\"ann\""));
        bench.take().own_presence.iter().flat_map(|frame| states_of(frame)).collect::<Vec<_>>()
    };
    assert!(said(&mut bench, 1, 5).is_empty(), "it is shown here");
    bench.join(3);
    assert_eq!(said(&mut bench, 3, 5), [(1, 5, "null".to_owned())], "the old connection is not known to be dead");
    leave(&mut bench, 1);
    assert_eq!(said(&mut bench, 3, 5), [(1, 5, "null".to_owned())], "others have seen it go");
    assert_eq!(said(&mut bench, 3, 4), [(1, 5, "null".to_owned())]);
    assert!(said(&mut bench, 3, 6).is_empty());
    assert!(said(&mut bench, 99, 5).is_empty(), "who is not in the room");
}

#[test]
fn a_state_that_is_not_renewed_expires() {
    let mut bench = with_ann();
    let renewed_ago_ms = LATER_MS;
    assert!(bench.tick_after(45_000 - renewed_ago_ms - 1).is_empty());
    assert_eq!(shown(&bench.tick_after(1)), [(1, 5, "null".to_owned())]);
    bench.now_ms += LATER_MS;
    assert_eq!(shown(&bench.awareness(1, &awareness(1, 6, "\"ann\""))).len(), 1, "its session may show it again");
}

#[test]
fn the_first_change_leaves_at_once_and_the_next_ones_leave_together() {
    let mut bench = Bench::new();
    bench.join(1);
    bench.join(2);
    assert_eq!(bench.awareness(1, &awareness(1, 1, "1")).frames.len(), 1);
    let sent_ms = bench.now_ms;
    for clock in 2..30 {
        bench.now_ms = sent_ms + u64::from(clock);
        assert!(bench.awareness(1, &awareness(1, clock, "1")).is_empty());
        assert!(bench.awareness(2, &awareness(2, clock, "2")).is_empty());
    }
    assert_eq!(bench.room.presence_due_ms(), Some(sent_ms + 40));
    bench.room.flush_presence(sent_ms + 39);
    assert!(bench.take().is_empty());
    bench.room.flush_presence(sent_ms + 40);
    let seen = bench.take();
    assert_eq!(seen.frames.len(), 1);
    assert_eq!(shown(&seen), [(1, 29, "1".to_owned()), (2, 29, "2".to_owned())]);
    assert_eq!(bench.room.presence_due_ms(), None);
}

#[test]
fn presence_does_not_wait_for_the_disk() {
    let (mut bench, mut ann) = (Bench::new(), Client::new(1));
    bench.join(1);
    bench.update(1, [ann.add("a")]);
    assert_eq!(bench.awareness(1, &awareness(1, 1, "{}")).frames.len(), 1);
}

#[test]
fn bad_presence_ends_its_own_session() {
    let mut bench = with_ann();
    assert_eq!(bench.awareness(2, &[9]).refused, [(SessionId(2), CloseCode::Malformed)]);
    assert_eq!(bench.awareness(2, &awareness(2, 1, "{")).refused, [(SessionId(2), CloseCode::Malformed)]);
    let large = format!("\"{}\"", "x".repeat(AWARENESS_STATE_BYTES_MAX));
    assert_eq!(bench.awareness(2, &awareness(2, 1, &large)).refused, [(SessionId(2), CloseCode::TooLarge)]);
    assert!(bench.awareness(99, &[9]).is_empty(), "who is not in the room says nothing in it");
    assert_eq!(everybody(&mut bench), [(1, 5, "\"ann\"".to_owned())]);
}

#[test]
fn states_are_bounded() {
    let mut presence = Presence::default();
    for client in 1..=PRESENCE_STATES_MAX as u64 + 10 {
        let joined = presence.join();
        let speaker = Speaker { session: SessionId(client), is: Entrant::default(), joined };
        presence.apply(speaker, &awareness(client, 1, "{}"), 0, |_| true).unwrap();
    }
    assert_eq!(presence.len(), PRESENCE_STATES_MAX);
    presence.leave(SessionId(1), 0);
    assert_eq!(presence.len(), PRESENCE_STATES_MAX - 1);
}

/// One request of somebody who polls: comes in, says something of itself, and goes.
fn poll(bench: &mut Bench, session: u64, principal: Principal, payload: &[u8]) -> Vec<(u64, u32, String)> {
    let entrant = Entrant::of(principal).lingering_for(principal);
    bench.room.join(SessionId(session), entrant).unwrap();
    let mut seen = shown(&bench.awareness(session, payload));
    seen.extend(shown(&leave(bench, session)));
    seen
}

#[test]
fn who_polls_stays_for_a_while_between_two_requests() {
    let mut bench = Bench::new();
    bench.join(1);
    let ann = Principal(7);
    assert_eq!(poll(&mut bench, 2, ann, &awareness(5, 1, "\"ann\"")), [(5, 1, "\"ann\"".to_owned())]);
    leave(&mut bench, 1);
    assert!(!bench.room.is_idle(), "somebody is expected back");
    assert_eq!(poll(&mut bench, 3, ann, &awareness(5, 2, "\"moved\"")), [(5, 2, "\"moved\"".to_owned())]);
    // The same word again keeps it: a client without a clock of its own may repeat it.
    for session in 4..10 {
        assert!(bench.tick_after(20_000).is_empty());
        assert!(poll(&mut bench, session, ann, &awareness(5, 2, "\"moved\"")).is_empty());
    }
    assert_eq!(shown(&bench.tick_after(31_000)), [(5, 2, "null".to_owned())]);
    assert!(bench.room.is_idle());
}

#[test]
fn who_polls_goes_when_they_say_so_and_may_come_back_over_a_socket() {
    let mut bench = Bench::new();
    let ann = Principal(7);
    poll(&mut bench, 1, ann, &awareness(5, 1, "\"ann\""));
    assert_eq!(poll(&mut bench, 2, ann, &awareness(5, 2, "null")), [(5, 2, "null".to_owned())]);
    poll(&mut bench, 3, ann, &awareness(5, 3, "\"ann\""));
    bench.join_as(4, ann);
    assert_eq!(shown(&bench.awareness(4, &awareness(5, 4, "\"socket\""))), [(5, 4, "\"socket\"".to_owned())]);
    bench.now_ms += LATER_MS;
    assert!(poll(&mut bench, 5, ann, &awareness(5, 4, "\"late\"")).is_empty());
    assert_eq!(shown(&leave(&mut bench, 4)), [(5, 4, "null".to_owned())], "it was the socket's");
}

#[test]
fn of_one_user_so_many_are_kept_and_the_oldest_goes() {
    let mut bench = Bench::new();
    let (ann, bob) = (Principal(7), Principal(8));
    assert_eq!(poll(&mut bench, 1, bob, &awareness(90, 1, "\"bob\"")).len(), 1);
    for client in 1..=8 {
        assert_eq!(poll(&mut bench, client + 1, ann, &awareness(client, 1, "\"ann\"")).len(), 1);
    }
    let mut ninth = poll(&mut bench, 20, ann, &awareness(9, 1, "\"ann\""));
    ninth.extend(shown(&bench.tick_after(100)));
    assert_eq!(ninth, [(9, 1, "\"ann\"".to_owned()), (1, 1, "null".to_owned())]);
    assert_eq!(everybody(&mut bench).len(), 9, "eight of one, and one of the other");
}
