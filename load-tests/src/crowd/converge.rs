//! Whether all have the same document in the end.

use std::rc::Rc;

use anyhow::{Context as _, ensure};
use synapti_crdt::Replica;

use super::{
    gather::Gathered,
    member::Member,
    plan::Plan,
    recent::Known,
    script::{Line, document},
};
use crate::{
    client::Client,
    progress::Progress,
    subject::{Kind, Subject},
};

/// Documents that are rebuilt in each room, beside those of clients that had stopped reading.
const REBUILT_MAX: usize = 8;

/// Compares state, delete set and content of the documents that the clients of each room have, as rebuilt from all that they
/// received, and of the document that the server gives to somebody new. Clients that received the same bytes have the
/// same document.
pub async fn check(subject: &Subject, plan: &Plan, crowd: &Gathered) -> anyhow::Result<()> {
    let progress = Progress::phase("comparing the documents", plan.rooms.into());
    for (index, members) in crowd.members.chunks(plan.members() as usize).enumerate() {
        let document = check_members(plan, members).with_context(|| format!("room {index}"))?;
        if subject.kind == Kind::Synapti {
            for (node, address) in subject.addresses().enumerate() {
                let joiner = Client::join(address.url(), &members[0].room.id).await?;
                let whose = format!("a client that joined in the end, at node {}", node + 1);
                compare(&document, &joiner.replica, &whose)?;
            }
        }
        progress.step(1);
    }
    Ok(())
}

/// Answers the document that they all have. The first of them is an editor.
fn check_members(plan: &Plan, members: &[Rc<Member>]) -> anyhow::Result<Replica> {
    let document = rebuilt(plan, &members[0])?;
    let (nodes, expected) = (document.map().nodes.len(), plan.edits() as usize + 1);
    ensure!(nodes == expected, "the map has {nodes} of {expected} nodes, the root and one for each edit");
    let mut checked = vec![&members[0]];
    for member in &members[1..] {
        if checked.iter().any(|checked| received_the_same(checked, member)) {
            continue;
        }
        if member.stops || checked.len() < REBUILT_MAX {
            compare(&document, &rebuilt(plan, member)?, &member.name)?;
            checked.push(member);
        }
    }
    Ok(document)
}

fn received_the_same(one: &Member, other: &Member) -> bool {
    let (one, other) = (one.record(), other.record());
    let is_same = |(one, other): (&Rc<Known>, &Rc<Known>)| Rc::ptr_eq(one, other) || one.update() == other.update();
    one.len() == other.len() && one.iter().zip(&*other).all(is_same)
}

fn compare(editors: &Replica, others: &Replica, whose: &str) -> anyhow::Result<()> {
    ensure!(editors.held_bytes() + others.held_bytes() == 0, "{whose}: edits arrived without those that they build on");
    let is_same = editors.digest() == others.digest() && editors.map() == others.map();
    ensure!(is_same, "all edits arrived, and yet the document of {whose} is not that of an editor");
    Ok(())
}

fn rebuilt(plan: &Plan, member: &Member) -> anyhow::Result<Replica> {
    let script = &member.room.script;
    let own: &[Line] = member.editor.map_or(&[], |editor| &script.editors[editor as usize]);
    // A script may be longer than what was said.
    let said = member.editor.map_or(0, |editor| (plan.edits() + plan.editors - 1 - editor) / plan.editors);
    // The first edit is the first editor's; a server need not send it back.
    let init = (member.editor == Some(0)).then_some(script.init.as_slice());
    let own = own[..said as usize].iter().map(|line| line.update.as_slice());
    let received = member.record();
    let received = received.iter().filter_map(|known| known.update());
    document(init.into_iter().chain(own).chain(received)).with_context(|| format!("the document of {}", member.name))
}
