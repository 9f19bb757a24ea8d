//! From asking that a run be stopped to its last edit.

use std::{rc::Rc, time::Duration};

use anyhow::{Context as _, ensure};
use tokio::time::{sleep, timeout};

use super::{
    api::Api,
    ground::{Ground, node_id},
    part::Part,
    provider::{Flow, State},
    script::{Shape, script},
    viewers::{Viewer, Viewers, until},
};
use crate::{
    client::ANSWERED_WITHIN,
    progress::Progress,
    report::{Bar, Figure},
    stats::Sorted,
};

/// The bar for each of them.
const BELOW: Duration = Duration::from_millis(100);

/// Viewers of the map.
const VIEWERS: u32 = 3;

/// Children that are asked for: more than there will be.
const CHILDREN: u32 = 20;

/// Time between two tokens.
const EVERY: Duration = Duration::from_millis(20);

/// How long nothing may come before a run counts as still. The model would have said fifty words more.
const STILL_FOR: Duration = Duration::from_secs(1);

/// Measures so many, each in a map of its own.
pub async fn measure(ground: &Ground, runs: u32) -> anyhow::Result<Part> {
    let _progress = Progress::phase(&format!("{runs} runs are stopped"), u64::from(runs));
    let mut api = Api::open(&ground.address).await?;
    let mut took = Vec::new();
    for run in 0..runs {
        // At every place of an element, in a title or a summary.
        took.push(stop_after(ground, &mut api, 4 + (run as usize * 7) % 60).await?);
    }
    let took = Sorted::new(took).context("nothing was measured")?;
    let name = "a run is stopped: from the request to its last edit at a viewer";
    Ok(Part {
        bars: vec![Bar::below(format!("{name}, max"), BELOW, took.percentile(100))],
        figures: vec![Figure::new(name, &took)],
        facts: Vec::new(),
    })
}

async fn stop_after(ground: &Ground, api: &mut Api, words: usize) -> anyhow::Result<Duration> {
    let room = format!("stop-{:08x}", rand::random::<u32>());
    ground.map(&room, "What is stopped", std::slice::from_ref(&room)).await?;
    let flow = Flow::new(script(Shape::SubConcepts, CHILDREN, 0), EVERY);
    ground.provider.answer(&room, &flow);
    let mut viewers = Viewers::default();
    let mut here = Vec::new();
    for _ in 0..VIEWERS {
        here.push(viewers.join(&ground.address, &room).await?);
    }
    let bell = viewers.bell();
    let work = async {
        let job = api.expand(&room, &node_id(0), CHILDREN).await?.job;
        let grows =
            until(&bell, ANSWERED_WITHIN, || here.iter().all(|viewer| viewer.arrivals().count() >= words)).await;
        ensure!(grows, "the answer does not grow in the map");
        let sent = api.stop(&job).await?;
        api.over(&job, "cancelled").await?;
        let state = timeout(ANSWERED_WITHIN, flow.over()).await.context("the model is still heard")??;
        ensure!(state == State::Cut, "the model was heard to its end");
        sleep(STILL_FOR).await;
        let last = here.iter().filter_map(|viewer: &Rc<Viewer>| viewer.last_edit()).max();
        let last = last.context("nobody saw an edit")?;
        ensure!(last.elapsed() >= STILL_FOR / 2, "a run that was stopped goes on");
        Ok(last.saturating_duration_since(sent))
    };
    viewers.during(work).await
}
