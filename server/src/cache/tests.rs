use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::atomic::{AtomicI64, Ordering},
};

use futures_util::FutureExt as _;
use jiff::Timestamp;

use super::*;

const MINUTE: Duration = Duration::from_mins(1);
const PATIENCE: Duration = Duration::from_secs(20);

/// A cache on a folder, at a time that the test sets.
struct Bench {
    folder: tempfile::TempDir,
    seconds: Arc<AtomicI64>,
}

struct Running {
    cache: Cache,
    tracker: TaskTracker,
    stop: CancellationToken,
}

impl Bench {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), seconds: Arc::new(AtomicI64::new(1_000_000)) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn pass(&self, time: Duration) {
        self.seconds.fetch_add(time.as_secs() as i64, Ordering::SeqCst);
    }

    async fn with(&self, memory_bytes_max: usize, disk_bytes_max: u64) -> Running {
        let seconds = self.seconds.clone();
        let now = move || Timestamp::from_second(seconds.load(Ordering::SeqCst)).unwrap();
        let clock = Clock::from_fn(now);
        let parts = CacheParts { memory_bytes_max, disk_bytes_max, folder: self.path(), shared: None, clock };
        let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
        let running = Running { cache: Cache::start(parts, &tracker, stop.clone()), tracker, stop };
        running.cache.0.depths.disk_is_open().await;
        running
    }

    async fn start(&self) -> Running {
        self.with(1 << 20, 1 << 20).await
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.path()).unwrap().map(|file| file.unwrap().path());
        entries.filter(|path| path.extension().is_some_and(|extension| extension == "entry")).collect()
    }
}

impl Running {
    /// Puts, and waits until it is written.
    async fn put(&self, key: &str, value: &str, ttl: Duration) {
        self.cache.put(key, value.to_owned().into(), ttl).await;
        self.cache.0.writer.is_idle().await;
    }

    async fn get(&self, key: &str) -> Option<String> {
        self.cache.get(key).await.map(|value| String::from_utf8(value.to_vec()).unwrap())
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tracker.close();
        tokio::time::timeout(PATIENCE, self.tracker.wait()).await.unwrap();
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test]
async fn what_is_put_is_there_until_it_is_over_also_after_a_restart() {
    let bench = Bench::new();
    let long = "a mind map ".repeat(1000);
    let running = bench.start().await;
    assert_eq!(running.get("a").await, None);
    running.put("a", &long, 2 * MINUTE).await;
    assert_eq!((running.get("a").await.as_deref(), running.get("b").await), (Some(&*long), None));
    assert!(fs::metadata(&bench.files()[0]).unwrap().len() < 1000, "it is packed");
    assert_eq!((mode(&bench.path()), mode(&bench.files()[0])), (0o700, 0o600));
    let stats = running.cache.stats();
    assert_eq!((stats.hits, stats.misses, stats.disk_bytes), (1, 2, 4096));
    assert!(stats.memory_bytes > 0 && stats.memory_bytes < 2000);
    running.stop().await;

    bench.pass(MINUTE);
    let running = bench.start().await;
    assert_eq!(running.cache.get_from_memory("a"), None);
    assert_eq!(running.get("a").await, Some(long.clone()));
    assert!(running.cache.get_from_memory("a").is_some(), "what the disk has is put into memory");
    bench.pass(MINUTE);
    assert_eq!((running.cache.get_from_memory("a"), running.get("a").await), (None, None), "with the time it had left");
    assert_eq!(bench.files(), Vec::<PathBuf>::new());
    running.stop().await;
}

#[tokio::test]
async fn without_memory_the_disk_answers_and_without_disk_memory_does() {
    let bench = Bench::new();
    let running = bench.with(0, 1 << 20).await;
    running.put("a", "disk", MINUTE).await;
    assert_eq!((running.cache.get_from_memory("a"), running.get("a").await.as_deref()), (None, Some("disk")));
    running.stop().await;
    let running = bench.with(1 << 20, 0).await;
    running.put("a", "memory", MINUTE).await;
    assert_eq!((running.get("a").await.as_deref(), running.cache.stats().disk_bytes), (Some("memory"), 0));
    running.stop().await;
}

#[tokio::test]
async fn memory_holds_no_more_bytes_than_it_may() {
    let bench = Bench::new();
    let running = bench.with(10_000, 0).await;
    for at in 0..100 {
        running.put(&at.to_string(), &"x".repeat(900), MINUTE).await;
        assert!(running.cache.stats().memory_bytes <= 10_000);
    }
    assert!(running.get("99").await.is_some() && running.get("0").await.is_none());
    running.put("huge", &"x".repeat(VALUE_BYTES_MAX + 1), MINUTE).await;
    assert_eq!(running.get("huge").await, None);
    running.stop().await;
}

#[tokio::test]
async fn the_disk_lets_go_of_what_was_asked_for_longest_ago_also_after_a_restart() {
    let bench = Bench::new();
    let running = bench.with(0, 3 * 4096).await;
    for key in ["a", "b", "c"] {
        running.put(key, key, 60 * MINUTE).await;
        bench.pass(Duration::from_secs(1));
    }
    assert!(running.get("a").await.is_some());
    running.stop().await;
    bench.pass(Duration::from_secs(1));
    let running = bench.with(0, 3 * 4096).await;
    running.put("d", "d", 60 * MINUTE).await;
    assert_eq!(running.cache.stats().disk_bytes, 3 * 4096);
    assert_eq!((running.get("b").await, running.get("a").await.as_deref()), (None, Some("a")));
    running.stop().await;
    let running = bench.with(0, 4096).await;
    assert_eq!((bench.files().len(), running.cache.stats().disk_bytes), (1, 4096), "a smaller bound is kept at once");
    running.stop().await;
}

#[tokio::test]
async fn a_damaged_cut_or_foreign_file_is_removed_and_is_a_miss() {
    let bench = Bench::new();
    let harms: [fn(&mut Vec<u8>); 4] = [
        |bytes| *bytes.last_mut().unwrap() ^= 1,
        |bytes| bytes.truncate(bytes.len() / 2),
        Vec::clear,
        |bytes| *bytes = b"a letter of somebody else".repeat(9),
    ];
    for harm in harms {
        let running = bench.with(0, 1 << 20).await;
        running.put("a", "value", MINUTE).await;
        let file = bench.files().remove(0);
        let mut bytes = fs::read(&file).unwrap();
        harm(&mut bytes);
        fs::write(&file, bytes).unwrap();
        assert_eq!(running.get("a").await, None);
        assert_eq!((bench.files().len(), running.cache.stats().disk_bytes), (0, 0));
        running.put("a", "again", MINUTE).await;
        assert_eq!(running.get("a").await.as_deref(), Some("again"));
        fs::remove_file(bench.files().remove(0)).unwrap();
        assert_eq!((running.get("a").await, running.cache.stats().disk_bytes), (None, 0));
        running.stop().await;
    }
}

#[tokio::test]
async fn what_a_crash_left_is_removed_and_what_is_not_ours_stays() {
    let bench = Bench::new();
    fs::create_dir(bench.path()).unwrap();
    let name = KeyHash::of("a");
    let (partial, foreign) = (bench.path().join(format!("{name}.7.partial")), bench.path().join("letter.entry"));
    for file in [&partial, &foreign] {
        fs::write(file, "half").unwrap();
    }
    let running = bench.start().await;
    assert!(!partial.exists() && foreign.exists());
    running.put("b", "value", MINUTE).await;
    assert_eq!(running.cache.clear().await, Cleared { memory: 1, disk: 1, shared: 0 });
    assert!(foreign.exists());
    running.stop().await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_costs_nothing_but_its_help() {
    let bench = Bench::new();
    fs::write(bench.path(), "a file where the folder should be").unwrap();
    let running = bench.start().await;
    running.put("a", "value", MINUTE).await;
    assert_eq!(running.get("a").await.as_deref(), Some("value"));
    assert_eq!((running.get("b").await, running.cache.stats().is_disk_well), (None, false));
    assert_eq!(running.cache.clear().await, Cleared { memory: 1, disk: 0, shared: 0 });
    running.stop().await;
}

#[tokio::test]
async fn a_disk_that_takes_no_more_is_told_of_and_works_again() {
    let bench = Bench::new();
    let running = bench.start().await;
    running.put("a", "value", MINUTE).await;
    fs::remove_dir_all(bench.path()).unwrap();
    running.put("b", "value", MINUTE).await;
    assert!(!running.cache.stats().is_disk_well);
    assert_eq!((running.get("a").await.as_deref(), running.get("b").await.as_deref()), (Some("value"), Some("value")));
    fs::create_dir(bench.path()).unwrap();
    running.put("c", "value", MINUTE).await;
    assert!(running.cache.stats().is_disk_well);
    running.stop().await;
}

#[tokio::test]
async fn a_folder_belongs_to_one_process() {
    let bench = Bench::new();
    let first = bench.start().await;
    first.put("a", "value", MINUTE).await;
    let second = bench.start().await;
    second.put("b", "value", MINUTE).await;
    assert_eq!((second.get("a").await, second.get("b").await.as_deref()), (None, Some("value")));
    assert_eq!((bench.files().len(), second.cache.stats().is_disk_well), (1, false));
    assert!(first.cache.stats().is_disk_well);
    first.stop().await;
    second.stop().await;
}

#[tokio::test]
async fn nothing_that_was_put_before_a_clearing_is_there_after_it() {
    let bench = Bench::new();
    let running = bench.start().await;
    running.put("old", "value", MINUTE).await;
    let writing = running.cache.0.writer.hold().await;
    running.cache.put("waiting", "value".into(), MINUTE).await;
    let cache = running.cache.clone();
    let mut clearing = Box::pin(async move { cache.clear().await });
    assert!(clearing.as_mut().now_or_never().is_none());
    drop(writing);
    assert_eq!(clearing.await, Cleared { memory: 2, disk: 1, shared: 0 });
    running.cache.0.writer.is_idle().await;
    for key in ["old", "waiting"] {
        assert_eq!(running.get(key).await, None, "{key}");
    }
    assert_eq!(bench.files(), Vec::<PathBuf>::new());
    running.put("new", "value", MINUTE).await;
    assert_eq!((running.get("new").await.as_deref(), bench.files().len()), (Some("value"), 1));
    running.stop().await;
}

#[tokio::test]
async fn a_writer_that_does_not_get_on_loses_the_rest_and_holds_nobody_up() {
    let bench = Bench::new();
    let running = bench.with(64 << 20, 64 << 20).await;
    let writing = running.cache.0.writer.hold().await;
    for at in 0..3000 {
        running.cache.put(&at.to_string(), "value".into(), MINUTE).await;
    }
    assert_eq!(running.get("2999").await.as_deref(), Some("value"));
    drop(writing);
    running.cache.0.writer.is_idle().await;
    let count = bench.files().len();
    assert!((1000..1100).contains(&count), "{count}");
    running.stop().await;
}

#[tokio::test]
async fn whoever_comes_after_the_landing_finds_it() {
    let bench = Bench::new();
    let running = bench.start().await;
    let Flight::Lead(guard) = running.cache.flight("a").await else { panic!("nobody else is there") };
    running.cache.put("a", "value".into(), MINUTE).await;
    guard.land("value".into());
    let Flight::Follow(value) = running.cache.flight("a").await else { panic!("it is there") };
    assert_eq!(value, Some("value".into()));
    running.stop().await;
}
