//! How soon a request is taken in when many wait before it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use tokio::time::{Instant, sleep_until};

use super::{
    api::Api,
    ground::{Ground, node_id},
    part::Part,
    provider::Flow,
    script::{Shape, script},
};
use crate::{
    progress::Progress,
    report::{Bar, Fact, Figure},
    stats::Sorted,
    versus::percent,
};

/// The bar for 99 of 100.
const BELOW: Duration = Duration::from_millis(100);

/// Maps over which the jobs are spread, and connections on which they come.
const MAPS: u32 = 50;
const CONNECTIONS: u32 = 8;

/// Requests that are measured, and the time between two.
const MEASURED: u32 = 500;
const EVERY: Duration = Duration::from_millis(20);

/// The one run that goes on meanwhile says a word now and then, so that it is not taken for dead.
const ELEMENTS: u32 = 20;
const SAYS_EVERY: Duration = Duration::from_secs(1);

/// Measures it on a server that does one run at a time.
pub async fn measure(ground: &Ground, waiting: u32) -> anyhow::Result<Part> {
    let title = format!("Queue {:08x}", rand::random::<u32>());
    let rooms: Vec<String> = (0..MAPS).map(|map| format!("{}-{map}", title.to_lowercase().replace(' ', "-"))).collect();
    for room in &rooms {
        ground.map(room, "What waits", std::slice::from_ref(&title)).await?;
    }
    ground.provider.answer(&title, &Flow::new(script(Shape::SubConcepts, ELEMENTS, 0), SAYS_EVERY));
    let mut apis = try_join_all((0..CONNECTIONS).map(|_| Api::open(&ground.address))).await?;
    let progress = Progress::phase(&format!("{waiting} requests wait"), u64::from(waiting));
    let begin = Instant::now();
    // This one is done, and the others wait.
    let api = apis.first_mut().context("there is no connection")?;
    let first = api.expand(&rooms[0], &node_id(0), ELEMENTS).await?.job;
    let filling = apis.iter_mut().zip(0..).map(async |(api, first): (&mut Api, u32)| {
        for job in (first..waiting).step_by(CONNECTIONS as usize) {
            api.expand(&rooms[(job % MAPS) as usize], &node_id(0), ELEMENTS).await?;
            progress.step(1);
        }
        anyhow::Ok(())
    });
    try_join_all(filling).await?;
    let filled = begin.elapsed();
    let api = apis.first_mut().context("there is no connection")?;
    let (begin, cpu) = (Instant::now(), ground.process.cpu()?);
    let (mut took, mut last) = (Vec::new(), String::new());
    for job in 0..MEASURED {
        let due = begin + EVERY * job;
        sleep_until(due).await;
        let late = due.elapsed();
        let taken = api.expand(&rooms[(job % MAPS) as usize], &node_id(0), ELEMENTS).await?;
        // One that had to wait for the one before counts from when it was due.
        took.push(taken.took + if late > EVERY { late } else { Duration::ZERO });
        last = taken.job;
    }
    let used = percent(ground.process.cpu()?.saturating_sub(cpu), begin.elapsed());
    let statuses = [api.job(&first).await?["status"].clone(), api.job(&last).await?["status"].clone()];
    ensure!(
        statuses == ["running", "queued"],
        "the first and the last of the jobs are {statuses:?} now: the queue did not stand"
    );
    let took = Sorted::new(took).context("nothing was measured")?;
    let name = format!("{waiting} requests wait: the next is taken in (202)");
    Ok(Part {
        bars: vec![Bar::below(format!("{name}, p99"), BELOW, took.percentile(99))],
        figures: vec![Figure::new(name, &took)],
        facts: vec![
            Fact::new(
                "requests taken in a second, while the queue fills",
                "",
                [f64::from(waiting) / filled.as_secs_f64()],
            ),
            Fact::new(format!("{waiting} requests wait: server's use of a core"), "%", [used]),
        ],
    })
}
