//! Answers that were kept: how soon their first node is there.

use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::{
    api::{Api, Taken},
    ground::{Ground, node_id},
    part::Part,
    provider::{Flow, all_said},
    script::{Shape, script},
    viewers::{Viewers, until},
};
use crate::{
    client::ANSWERED_WITHIN,
    progress::Progress,
    report::{Bar, Figure},
    stats::Sorted,
};

/// The bar for the median and for 95 of 100.
const BELOW: Duration = Duration::from_millis(5);

/// Elements of the answer that is kept.
const ELEMENTS: u32 = 3;

/// Time between two tokens while it is not kept yet.
const EVERY: Duration = Duration::from_millis(2);

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wish {
    Map,
    Children,
}

/// Measures both, in so many maps each.
pub async fn measure(ground: &Ground, maps: u32) -> anyhow::Result<Part> {
    let (mut figures, mut bars) = (Vec::new(), Vec::new());
    for (wish, name) in [(Wish::Map, "a kept map"), (Wish::Children, "a kept expansion")] {
        let _progress = Progress::phase(&format!("{name}, {maps} times"), u64::from(maps));
        let took = wish.measure(ground, maps).await.with_context(|| name.to_owned())?;
        let name = format!("{name}: from the request to its first node at a viewer");
        bars.push(Bar::below(format!("{name}, median"), BELOW, took.median()));
        bars.push(Bar::below(format!("{name}, p95"), BELOW, took.percentile(95)));
        figures.push(Figure::new(name, &took));
    }
    Ok(Part { figures, facts: Vec::new(), bars })
}

impl Wish {
    async fn measure(self, ground: &Ground, maps: u32) -> anyhow::Result<Sorted> {
        let about = format!("Kept {self:?} {:08x}", rand::random::<u32>());
        let shape = if self == Self::Map { Shape::Nodes } else { Shape::SubConcepts };
        let flow = Flow::new(script(shape, ELEMENTS, 0), EVERY);
        ground.provider.answer(&about, &flow);
        let mut api = Api::open(&ground.address).await?;
        let mut took = Vec::new();
        // The first is not kept yet.
        for map in 0..=maps {
            let room = format!("{}-{map}", about.to_lowercase().replace(' ', "-"));
            let one = self.once(ground, &mut api, &room, &about, map > 0).await?;
            if map == 0 {
                all_said(std::slice::from_ref(&flow)).await?;
            } else {
                took.push(one);
            }
        }
        Sorted::new(took).context("nothing was measured")
    }

    /// From the request to the first node at a viewer of the map.
    async fn once(
        self,
        ground: &Ground,
        api: &mut Api,
        room: &str,
        about: &str,
        is_kept: bool,
    ) -> anyhow::Result<Duration> {
        if self == Self::Children {
            ground.map(room, "What is kept", &[about.to_owned()]).await?;
        }
        let mut viewers = Viewers::default();
        let viewer = viewers.join(&ground.address, room).await?;
        let bell = viewers.bell();
        let work = async {
            let Taken { job, sent, .. } = match self {
                Self::Map => api.generate(room, about, ELEMENTS + 1).await,
                Self::Children => api.expand(room, &node_id(0), ELEMENTS).await,
            }?;
            let job = api.over(&job, "succeeded").await?;
            ensure!(job["is_cached"] == is_kept, "an answer that should be kept is not, or the other way round: {job}");
            until(&bell, ANSWERED_WITHIN, || viewer.arrivals().first().is_some()).await;
            let first = viewer.arrivals().first().context("no node of the AI reached the viewer")?;
            Ok(first.saturating_duration_since(sent))
        };
        viewers.during(work).await
    }
}
