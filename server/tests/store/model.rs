//! Any sequence of calls, crashes included, against a model that is a list of updates per graph.

use proptest::prelude::*;
use synapti_server::store::{GraphKey, Lookup, Purpose, RecordId, SharedStore, SnapshotId, StoreError, VersionRecord};

use crate::{
    fixture::{Home, at, automatic, create, graph_id, keep, record, trim_all},
    place::Place,
    postgres,
};

const GRAPHS: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<(usize, Vec<u8>)>),
    /// Compacts up to some record; `cut` leaves it after so many slices, without a commit.
    Compact {
        graph: usize,
        covers: prop::sample::Index,
        slice_bytes: usize,
        cut: Option<u32>,
    },
    Keep {
        graph: usize,
        covers: prop::sample::Index,
        slice_bytes: usize,
    },
    Forget {
        graph: usize,
        version: prop::sample::Index,
    },
    Trim {
        graph: usize,
        rows: u32,
    },
    Delete {
        graph: usize,
    },
    Checkpoint,
    Restart,
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    let update = prop::collection::vec(any::<u8>(), 0..40);
    let batch = prop::collection::vec((0..GRAPHS, update), 1..8);
    prop_oneof![
        6 => batch.prop_map(Step::Append),
        4 => (0..GRAPHS, any::<prop::sample::Index>(), 1..50usize, prop::option::weighted(0.3, 0..4u32))
            .prop_map(|(graph, covers, slice_bytes, cut)| Step::Compact { graph, covers, slice_bytes, cut }),
        2 => (0..GRAPHS, any::<prop::sample::Index>(), 1..50usize)
            .prop_map(|(graph, covers, slice_bytes)| Step::Keep { graph, covers, slice_bytes }),
        1 => (0..GRAPHS, any::<prop::sample::Index>()).prop_map(|(graph, version)| Step::Forget { graph, version }),
        4 => (0..GRAPHS, 0..6u32).prop_map(|(graph, rows)| Step::Trim { graph, rows }),
        1 => (0..GRAPHS).prop_map(|graph| Step::Delete { graph }),
        1 => Just(Step::Checkpoint),
        1 => Just(Step::Restart),
        1 => Just(Step::Crash),
    ]
}

/// What a graph must hold.
#[derive(Default)]
struct Model {
    updates: Vec<(RecordId, Vec<u8>)>,
    covered: RecordId,
    /// What the snapshot before the current one covers.
    covered_before: Option<RecordId>,
    has_snapshot: bool,
    versions: Vec<(VersionRecord, Vec<u8>)>,
    deleted: bool,
}

impl Model {
    /// The state that the first updates make, up to one that is picked.
    fn state(&self, covers: prop::sample::Index) -> (RecordId, Vec<u8>) {
        let count = if self.updates.is_empty() { 0 } else { covers.index(self.updates.len()) + 1 };
        let covered = &self.updates[..count];
        let covers = covered.last().map_or(RecordId(0), |(id, _)| *id);
        (covers, covered.iter().flat_map(|(_, update)| update.clone()).collect())
    }
}

struct World<P> {
    home: P,
    store: SharedStore,
    keys: Vec<GraphKey>,
    models: Vec<Model>,
}

impl<P: Place> World<P> {
    async fn new(home: P) -> Self {
        let store = home.open().await;
        let mut keys = Vec::new();
        for n in 0..GRAPHS {
            keys.push(create(&*store, &format!("graph{n}")).await);
        }
        let models = (0..GRAPHS).map(|_| Model::default()).collect();
        Self { home, store, keys, models }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Append(batch) => self.append(&batch).await,
            Step::Compact { graph, covers, slice_bytes, cut } => self.compact(graph, covers, slice_bytes, cut).await,
            Step::Trim { graph, rows } => {
                self.store.trim(self.keys[graph], rows).await.unwrap();
            }
            Step::Delete { graph } => {
                self.store.tombstone(self.keys[graph], at(9)).await.unwrap();
                self.models[graph].deleted = true;
                self.models[graph].versions.clear();
            }
            Step::Keep { graph, covers, slice_bytes } => self.keep(graph, covers, slice_bytes).await,
            Step::Forget { graph, version } => self.forget(graph, version).await,
            Step::Checkpoint => self.store.checkpoint().await.unwrap(),
            Step::Restart => {
                self.store.close().await;
                self.store = self.home.open().await;
            }
            Step::Crash => {
                self.home.crash().await;
                self.store = self.home.open().await;
            }
        }
    }

    async fn append(&mut self, batch: &[(usize, Vec<u8>)]) {
        let records: Vec<_> = batch.iter().map(|(graph, update)| record(self.keys[*graph], update, 1)).collect();
        let ids = self.store.append(&records).await.unwrap();
        for ((graph, update), id) in batch.iter().zip(ids) {
            self.models[*graph].updates.push((id, update.clone()));
        }
    }

    async fn compact(&mut self, graph: usize, covers: prop::sample::Index, slice_bytes: usize, cut: Option<u32>) {
        let model = &mut self.models[graph];
        let (covers, state) = model.state(covers);
        let begun = loop {
            // A store that crashed may still have the turn until its server notices.
            match self.store.begin_snapshot(self.keys[graph], covers, Purpose::Compaction).await {
                Ok(None) => tokio::task::yield_now().await,
                begun => break begun,
            }
        };
        if model.deleted {
            assert!(matches!(begun, Err(StoreError::Gone(_))));
            return;
        }
        let snapshot: SnapshotId = begun.unwrap().unwrap();
        let slices: Vec<&[u8]> = state.chunks(slice_bytes).collect();
        for (index, slice) in (0u32..).zip(&slices) {
            if cut == Some(index) {
                return;
            }
            self.store.append_snapshot(snapshot, index, slice).await.unwrap();
        }
        self.store.commit_snapshot(snapshot, slices.len() as u32, state.len() as u64).await.unwrap();
        if covers >= model.covered {
            model.covered_before = model.has_snapshot.then_some(model.covered);
            (model.covered, model.has_snapshot) = (covers, true);
        }
    }

    async fn keep(&mut self, graph: usize, covers: prop::sample::Index, slice_bytes: usize) {
        let model = &mut self.models[graph];
        if !model.deleted {
            let (covers, state) = model.state(covers);
            let slices: Vec<&[u8]> = state.chunks(slice_bytes).collect();
            let kept = keep(&*self.store, self.keys[graph], covers, &slices, &automatic(3)).await;
            assert_eq!((kept.covers, kept.bytes), (covers, state.len() as u64));
            model.versions.push((kept, state));
        }
    }

    async fn forget(&mut self, graph: usize, version: prop::sample::Index) {
        let versions = &mut self.models[graph].versions;
        if !versions.is_empty() {
            let (kept, _) = versions.remove(version.index(versions.len()));
            assert_eq!(self.store.remove_versions(self.keys[graph], &[kept.id]).await.unwrap(), 1);
        }
    }

    async fn check(&self) {
        for (n, (key, model)) in self.keys.iter().zip(&self.models).enumerate() {
            let found = self.store.find(&graph_id(&format!("graph{n}"))).await.unwrap();
            let loaded = self.store.load(*key).await;
            let listed = self.store.versions(*key, None, 100).await.unwrap();
            let kept: Vec<_> = model.versions.iter().rev().map(|(kept, _)| kept.clone()).collect();
            assert_eq!(listed, kept);
            for (kept, state) in &model.versions {
                assert_eq!(self.store.load_version(*key, kept.id).await.unwrap(), Some((kept.clone(), state.clone())));
            }
            if model.deleted {
                assert_eq!(found, Lookup::Deleted { at: at(9) });
                assert!(matches!(loaded, Err(StoreError::Gone(_))));
                continue;
            }
            assert!(matches!(found, Lookup::Live(_)));
            let loaded = loaded.unwrap();
            assert_eq!(loaded.damage, []);
            let expected: Vec<u8> = model.updates.iter().flat_map(|(_, update)| update.clone()).collect();
            let tail = model.updates.iter().filter(|(id, _)| *id > model.covered).count();
            assert_eq!(loaded.tail_bytes, loaded.tail.iter().map(|update| update.len() as u64).sum::<u64>());
            assert_eq!(loaded.tail.len(), tail);
            assert_eq!([loaded.snapshot.unwrap_or_default(), loaded.tail.concat()].concat(), expected);
            assert_eq!(loaded.last, model.updates.last().map_or(RecordId(0), |(id, _)| *id));
        }
    }

    /// After everything was trimmed, only what the model needs is left.
    async fn check_rows(&mut self) {
        self.store.close().await;
        self.store = self.home.open().await;
        self.home.age().await;
        for key in &self.keys {
            trim_all(&*self.store, *key, 3).await;
        }
        self.check().await;
        let live = || self.models.iter().filter(|model| !model.deleted);
        let needed = |model: &Model| {
            let covered = model.covered_before.unwrap_or_default();
            model.updates.iter().filter(|(id, _)| *id > covered).count()
        };
        let kept = |model: &Model| {
            usize::from(model.has_snapshot) + usize::from(model.covered_before.is_some()) + model.versions.len()
        };
        let (records, snapshots, _slices) = self.home.count_rows().await;
        assert_eq!(usize::try_from(records).unwrap(), live().map(needed).sum::<usize>());
        assert_eq!(usize::try_from(snapshots).unwrap(), live().map(kept).sum::<usize>());
        assert_eq!(self.store.examine().await.unwrap(), Vec::<String>::new());
    }
}

fn walk(home: impl Place, steps: Vec<Step>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let mut world = World::new(home).await;
        for step in steps {
            world.take(step).await;
            world.check().await;
        }
        world.check_rows().await;
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_sequence_of_calls_keeps_every_document(steps in prop::collection::vec(step(), 1..40)) {
        walk(Home::new(), steps);
    }
}

proptest! {
    // Each case makes a database.
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn any_sequence_of_calls_keeps_every_document_on_postgres(steps in prop::collection::vec(step(), 1..40)) {
        walk(postgres::Home::new(), steps);
    }
}
