//! Whether all have the same document in the end.

use std::rc::Rc;

use anyhow::{Context as _, ensure};
use synapti_crdt::Replica;

use super::{
    gather::Gathered,
    member::Member,
    plan::Plan,
    script::{Line, document},
};
use crate::{
    client::Client,
    progress::Progress,
    subject::{Kind, Subject},
};

/// Rebuilds, for each room, the documents of an editor and of another client from all that they received, asks the server for
/// its own, and compares state, delete set and content.
pub async fn check(subject: &Subject, plan: &Plan, crowd: &Gathered) -> anyhow::Result<()> {
    let progress = Progress::phase("comparing the documents", plan.rooms.into());
    for (index, members) in crowd.members.chunks(plan.members() as usize).enumerate() {
        let Some((first, others)) = members.split_first() else { continue };
        let document = rebuilt(plan, first)?;
        let edits = document.map().nodes.len() as u64;
        // All marked nodes, and the root.
        ensure!(
            edits == u64::from(plan.edits()) + 1,
            "room {index}: the map has {edits} of {} nodes",
            plan.edits() + 1
        );
        for member in others.iter().filter(|member| member.record().is_some()) {
            compare(&document, &rebuilt(plan, member)?, &member.name)?;
        }
        if subject.kind == Kind::Synapti {
            let joiner = Client::join(subject.address.url(), &first.room.id).await?;
            compare(&document, &joiner.replica, &format!("a client that joined room {index} in the end"))?;
        }
        progress.step(1);
    }
    Ok(())
}

fn compare(editors: &Replica, others: &Replica, whose: &str) -> anyhow::Result<()> {
    ensure!(editors.held_bytes() + others.held_bytes() == 0, "{whose}: edits arrived without those that they build on");
    let is_same = editors.digest() == others.digest() && editors.map() == others.map();
    ensure!(is_same, "all edits arrived, and yet the document of {whose} is not that of an editor");
    Ok(())
}

fn rebuilt(plan: &Plan, member: &Rc<Member>) -> anyhow::Result<Replica> {
    let received = member.record().context("what this client received was not kept")?;
    let script = &member.room.script;
    let own: &[Line] = member.editor.map_or(&[], |editor| &script.editors[editor as usize]);
    // A script may be longer than what was said.
    let said = member.editor.map_or(0, |editor| (plan.edits() + plan.editors - 1 - editor) / plan.editors);
    // The first edit is the first editor's; a server need not send it back.
    let init = (member.editor == Some(0)).then_some(script.init.as_slice());
    let own = own[..said as usize].iter().map(|line| line.update.as_slice());
    let received = received.iter().filter_map(|known| known.update());
    document(init.into_iter().chain(own).chain(received)).with_context(|| format!("the document of {}", member.name))
}
