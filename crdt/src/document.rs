//! A yrs document that is really freed.

use std::{collections::BTreeMap, ops::Deref, thread};

use synapti_protocol::update::{self, ContentKind, StructKind, UpdateWriter};
use yrs::{Doc, ReadTxn as _, StateVector, Transact as _};

use crate::transaction::integrate;

/// A document. In yrs 0.28 a subdocument holds on to the document that holds it, so that neither would ever be freed.
pub(crate) struct Document(Doc);

impl From<Doc> for Document {
    fn from(doc: Doc) -> Self {
        Self(doc)
    }
}

impl Deref for Document {
    type Target = Doc;

    fn deref(&self) -> &Doc {
        &self.0
    }
}

impl Drop for Document {
    fn drop(&mut self) {
        // What failed half way is not touched again; it is lost memory, once.
        if thread::panicking() {
            return;
        }
        let Ok(txn) = self.0.try_transact() else { return };
        if txn.subdocs().next().is_none() {
            return;
        }
        let state = txn.encode_diff_v1(&StateVector::default());
        drop(txn);
        if let (Some(deletion), Ok(mut txn)) = (deletion_of_subdocuments(&state), self.0.try_transact_mut()) {
            // Nobody sees the document any more.
            let _ = integrate(&mut txn, &deletion);
        }
    }
}

/// An update that deletes every subdocument in a state.
fn deletion_of_subdocuments(state: &[u8]) -> Option<Vec<u8>> {
    let view = update::scan(state).ok()?;
    let mut ranges: BTreeMap<u64, Vec<(u32, u32)>> = BTreeMap::new();
    for section in view.sections() {
        for item in section.structs().filter(|item| item.kind == StructKind::Item(ContentKind::Doc)) {
            ranges.entry(section.client).or_default().push((item.clock, item.len));
        }
    }
    let mut deletion = UpdateWriter::new();
    for (client, ranges) in &ranges {
        deletion.delete(*client, ranges);
    }
    Some(deletion.finish())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use yrs::{Map as _, Options};

    use super::*;

    /// Whether a document with what `fill` puts into it is freed: its destruction drops what listens to it.
    fn is_freed(fill: impl Fn(&Doc)) -> bool {
        let document = Document::from(Doc::new());
        fill(&document);
        let watched = Arc::new(());
        let watching = watched.clone();
        document.observe_update_v1("watch", move |_, _| drop(watching.clone())).unwrap();
        drop(document);
        Arc::strong_count(&watched) == 1
    }

    #[test]
    fn a_document_with_subdocuments_is_freed() {
        let subdocument = |doc: &Doc, key: &str| {
            let map = doc.get_or_insert_map("map");
            map.insert(&mut doc.transact_mut(), key, Doc::with_options(Options::default()));
        };
        assert!(is_freed(|_| {}));
        assert!(is_freed(|doc| subdocument(doc, "one")));
        assert!(is_freed(|doc| (0..3).for_each(|n| subdocument(doc, &n.to_string()))));
    }
}
