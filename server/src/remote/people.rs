//! Who else is in the map.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use synapti_protocol::awareness::AwarenessView;

/// People that are kept; whoever sends more is no server of ours.
const PEOPLE_MAX: usize = 100_000;

/// What somebody is called who does not say.
const NAMELESS: &str = "somebody";

/// Somebody in the map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    /// Their number in the document.
    pub client: u64,
    /// What they are called.
    pub name: String,
}

/// Who came and who went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Presence {
    /// Those who came.
    pub came: Vec<Person>,
    /// Those who went.
    pub went: Vec<Person>,
}

#[derive(Debug)]
struct State {
    clock: u32,
    /// `None` for somebody who has left.
    name: Option<String>,
}

/// Keeps what everybody said last.
#[derive(Debug, Default)]
pub(super) struct People {
    states: BTreeMap<u64, State>,
    /// Those of whom nothing has been heard since the connection was made anew.
    unheard: BTreeSet<u64>,
}

impl People {
    /// Takes in what came; answers whom that changes.
    pub fn hear(&mut self, said: &AwarenessView<'_>) -> Presence {
        let mut presence = Presence::default();
        for entry in said {
            self.unheard.remove(&entry.client);
            let known = self.states.get(&entry.client);
            // As y-protocols: a removal counts with the clock that is known, too.
            let is_news = known
                .is_none_or(|known| entry.clock > known.clock || (entry.clock == known.clock && entry.is_removal()));
            if !is_news || (known.is_none() && self.states.len() >= PEOPLE_MAX) {
                continue;
            }
            let name = (!entry.is_removal()).then(|| name_in(entry.state));
            let before = self.states.insert(entry.client, State { clock: entry.clock, name: name.clone() });
            presence.note(entry.client, before.and_then(|state| state.name), name);
        }
        presence
    }

    /// The connection has broken: who is not mentioned on the next one has gone meanwhile.
    pub fn begin_again(&mut self) {
        self.unheard =
            self.states.iter().filter(|(_, state)| state.name.is_some()).map(|(client, _)| *client).collect();
    }

    /// Those who were not mentioned have gone.
    pub fn drop_unheard(&mut self) -> Presence {
        let mut presence = Presence::default();
        for client in std::mem::take(&mut self.unheard) {
            let before = self.states.remove(&client);
            presence.note(client, before.and_then(|state| state.name), None);
        }
        presence
    }

    /// Everybody who is here.
    pub fn all(&self) -> Vec<Person> {
        let named = self.states.iter().filter_map(|(client, state)| Some((*client, state.name.clone()?)));
        named.map(|(client, name)| Person { client, name }).collect()
    }
}

impl Presence {
    /// Whether nobody came or went.
    pub const fn is_empty(&self) -> bool {
        self.came.is_empty() && self.went.is_empty()
    }

    fn note(&mut self, client: u64, before: Option<String>, after: Option<String>) {
        if before == after {
            return;
        }
        self.went.extend(before.map(|name| Person { client, name }));
        self.came.extend(after.map(|name| Person { client, name }));
    }
}

fn name_in(state: &str) -> String {
    let state: serde_json::Value = serde_json::from_str(state).unwrap_or_default();
    let name = state["user"]["name"].as_str().map_or("", str::trim);
    if name.is_empty() { NAMELESS.to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use synapti_protocol::awareness::{self, AwarenessEntry};

    use super::*;

    fn hear(people: &mut People, said: &[(u64, u32, &str)]) -> (Vec<String>, Vec<String>) {
        let said: Vec<_> = said.iter().map(|&(client, clock, state)| AwarenessEntry { client, clock, state }).collect();
        let bytes = awareness::encode(&said);
        names(people.hear(&awareness::scan(&bytes).unwrap()))
    }

    fn names(presence: Presence) -> (Vec<String>, Vec<String>) {
        let names = |people: Vec<Person>| people.into_iter().map(|person| person.name).collect();
        (names(presence.came), names(presence.went))
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn people_come_and_go_once() {
        let mut people = People::default();
        let ada = r#"{"user":{"name":"Ada"}}"#;
        assert_eq!(hear(&mut people, &[(1, 0, ada), (2, 5, "{}")]), (list(&["Ada", "somebody"]), list(&[])));
        assert_eq!(hear(&mut people, &[(1, 1, ada), (2, 4, "null")]), (list(&[]), list(&[])));
        assert_eq!(hear(&mut people, &[(1, 2, r#"{"user":{"name":"Eve"}}"#)]), (list(&["Eve"]), list(&["Ada"])));
        assert_eq!(hear(&mut people, &[(2, 5, "null"), (2, 5, "null")]), (list(&[]), list(&["somebody"])));
        assert_eq!(people.all().len(), 1);
    }

    #[test]
    fn who_is_not_mentioned_on_the_next_connection_has_gone() {
        let mut people = People::default();
        hear(&mut people, &[(1, 0, "{}"), (2, 0, "{}")]);
        people.begin_again();
        hear(&mut people, &[(2, 0, "{}")]);
        assert_eq!(names(people.drop_unheard()), (list(&[]), list(&["somebody"])));
        assert!(people.drop_unheard().is_empty());
        assert_eq!(people.all().len(), 1);
    }
}
