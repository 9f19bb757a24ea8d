use std::sync::atomic::AtomicBool;

use futures_util::future::join_all;
use tokio::time::advance;

use super::*;

const MB: usize = 1 << 20;

/// Drops its share when it is cut, as a connection does.
#[derive(Debug, Default)]
struct Connection {
    is_cut: AtomicBool,
    paid: Mutex<Option<Arc<Paid>>>,
}

impl Takes for Connection {
    fn cut(&self) {
        self.is_cut.store(true, Ordering::Relaxed);
        self.paid.lock().take();
    }
}

/// Somebody who takes an answer.
struct Client {
    connection: Arc<Connection>,
    taker: Arc<Taker>,
}

impl Client {
    fn taking(paid: &Arc<Paid>) -> Self {
        let (connection, taker) = (Arc::new(Connection::default()), paid.taker().unwrap());
        *connection.paid.lock() = Some(paid.clone());
        taker.goes_to(connection.clone());
        Self { connection, taker }
    }

    fn is_cut(&self) -> bool {
        self.connection.is_cut.load(Ordering::Relaxed)
    }
}

async fn answer(answers: &Answers, bytes: usize) -> Arc<Paid> {
    let paid = Arc::new(Paid::default());
    paid.pay(answers.take(bytes).await.unwrap(), bytes);
    paid
}

#[tokio::test(start_paused = true)]
async fn who_is_slow_gives_way_when_others_wait_and_only_then() {
    let answers = Answers::new(10 * MB);
    let slow = Client::taking(&answer(&answers, 4 * MB).await);
    let slower = Client::taking(&answer(&answers, 4 * MB).await);
    for _ in 0..60 {
        slow.taker.took(2_000);
        slower.taker.took(1_000);
        advance(Duration::from_secs(1)).await;
    }
    assert!(!slow.is_cut() && !slower.is_cut() && !answers.others_wait());
    let begun = Instant::now();
    // Many wait, and one place is enough for them.
    let waiting = join_all((0..5).map(|_| async { answers.take(MB).await.unwrap() })).await;
    assert!(begun.elapsed() < Duration::from_secs(1) && !answers.others_wait());
    assert!(slower.is_cut() && !slow.is_cut(), "no more than needed");
    drop(waiting);
}

#[tokio::test(start_paused = true)]
async fn who_is_fast_enough_or_new_or_holds_nothing_stays() {
    let answers = Answers::new(10 * MB);
    let fast = Client::taking(&answer(&answers, 4 * MB).await);
    let idle = Client::taking(&answer(&answers, 2 * MB).await);
    idle.taker.holds_of(None);
    fast.taker.took(100 * BYTES_PER_SECOND_WHEN_SHORT as usize);
    advance(PATIENCE * 2).await;
    let new = Client::taking(&answer(&answers, 4 * MB).await);
    let waiting = timeout(PATIENCE / 2, answers.take(5 * MB)).await;
    assert!(waiting.is_err() && !answers.others_wait(), "it has given up");
    assert!([fast, idle, new].iter().all(|one| !one.is_cut()));
}

#[tokio::test(start_paused = true)]
async fn what_somebody_takes_fast_is_left_to_all_who_have_it() {
    let answers = Answers::new(10 * MB);
    let (shared, alone) = (answer(&answers, 6 * MB).await, answer(&answers, 2 * MB).await);
    let [slow, fast] = [(); 2].map(|()| Client::taking(&shared));
    let single = Client::taking(&alone);
    drop((shared, alone));
    fast.taker.took(100 * BYTES_PER_SECOND_WHEN_SHORT as usize);
    single.taker.took(100_000);
    advance(PATIENCE).await;
    answers.take(3 * MB).await.unwrap();
    assert!(single.is_cut() && !slow.is_cut() && !fast.is_cut());
}

#[tokio::test(start_paused = true)]
async fn what_all_take_slowly_is_let_go_of_by_all() {
    let answers = Answers::new(10 * MB);
    let shared = answer(&answers, 8 * MB).await;
    let both = [(); 2].map(|()| Client::taking(&shared));
    drop(shared);
    advance(PATIENCE).await;
    answers.take(3 * MB).await.unwrap();
    assert!(both.iter().all(Client::is_cut));
}

#[tokio::test]
async fn what_many_hold_is_paid_for_once_and_what_is_small_is_not() {
    let answers = Answers::new(10 * MB);
    let shared = Arc::new(Paid::default());
    assert!(shared.taker().is_none());
    shared.pay(answers.try_take(8 * MB).unwrap(), 3 * MB);
    assert!(shared.taker().is_some());
    let other = shared.clone();
    other.pay(answers.try_take(4 * MB).unwrap(), 3 * MB);
    assert_eq!(answers.0.budget.left_bytes(), 7 * MB);
    drop(shared);
    assert_eq!(answers.0.budget.left_bytes(), 7 * MB);
    drop(other);
    let small = Paid::default();
    small.pay(answers.try_take(8 * MB).unwrap(), COUNTED_FROM_BYTES - 1);
    assert!(small.taker().is_none());
    assert_eq!(answers.0.budget.left_bytes(), 10 * MB);
}
