use super::*;

const OPEN_FOR: Duration = Duration::from_secs(30);

fn breaker() -> Breaker {
    Breaker::new("model", 3, OPEN_FOR)
}

fn fail(breaker: &Breaker, times: u32) {
    for _ in 0..times {
        breaker.permit().unwrap().fail("no answer");
    }
}

#[tokio::test(start_paused = true)]
async fn it_opens_after_so_many_failures_in_a_row_and_no_sooner() {
    let breaker = breaker();
    fail(&breaker, 2);
    breaker.permit().unwrap().succeed();
    fail(&breaker, 2);
    assert_eq!((breaker.report().position, breaker.report().failures), (Position::Closed, 2));
    fail(&breaker, 1);
    let report = breaker.report();
    assert_eq!((report.position, report.failures, report.opened), (Position::Open, 3, 1));
    assert_eq!((report.retry_after, report.last_error.as_deref()), (Some(OPEN_FOR), Some("no answer")));
    assert_eq!(breaker.permit().unwrap_err(), Open { retry_after: OPEN_FOR });
}

#[tokio::test(start_paused = true)]
async fn one_call_finds_out_and_its_success_closes() {
    let breaker = breaker();
    fail(&breaker, 3);
    tokio::time::advance(OPEN_FOR).await;
    assert_eq!(breaker.report().position, Position::HalfOpen);
    let probe = breaker.permit().unwrap();
    assert!(breaker.permit().is_err(), "one at a time");
    probe.succeed();
    let report = breaker.report();
    assert_eq!(
        (report.position, report.failures, report.last_error.as_deref()),
        (Position::Closed, 0, Some("no answer"))
    );
    let _both = (breaker.permit().unwrap(), breaker.permit().unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_fails_opens_again_and_one_that_is_dropped_lets_the_next_through() {
    let breaker = breaker();
    fail(&breaker, 3);
    tokio::time::advance(OPEN_FOR).await;
    drop(breaker.permit().unwrap());
    breaker.permit().unwrap().fail("still none");
    let report = breaker.report();
    assert_eq!((report.position, report.opened, report.retry_after), (Position::Open, 2, Some(OPEN_FOR)));
    assert_eq!(report.last_error.as_deref(), Some("still none"));
}

#[tokio::test(start_paused = true)]
async fn what_began_before_the_last_change_says_nothing_about_now() {
    let breaker = breaker();
    let slow = [breaker.permit().unwrap(), breaker.permit().unwrap()];
    fail(&breaker, 3);
    let [well, badly] = slow;
    well.succeed();
    badly.fail("late");
    assert_eq!((breaker.report().position, breaker.report().failures), (Position::Open, 3));
    tokio::time::advance(OPEN_FOR).await;
    let probe = breaker.permit().unwrap();
    breaker.reset();
    probe.fail("late");
    let report = breaker.report();
    assert_eq!((report.position, report.failures, report.last_error), (Position::Closed, 0, None));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_given_up_counts_as_neither() {
    let breaker = breaker();
    fail(&breaker, 2);
    drop(breaker.permit().unwrap());
    assert_eq!(breaker.report().failures, 2);
    fail(&breaker, 1);
    assert_eq!(breaker.report().position, Position::Open);
}

#[test]
fn of_a_long_reason_the_beginning_is_kept() {
    let breaker = breaker();
    breaker.permit().unwrap().fail(&"ä".repeat(1000));
    assert_eq!(breaker.report().last_error.unwrap().chars().count(), WHY_CHARS_MAX);
}

#[test]
fn the_registry_lists_each_name_once_and_resets_by_name() {
    let breakers = Breakers::default();
    let (model, cache) = (breaker(), Breaker::new("redis-cache", 5, OPEN_FOR));
    breakers.add(breaker());
    breakers.add(model.clone());
    breakers.add(cache);
    fail(&model, 3);
    let list = breakers.list();
    let names: Vec<_> = list.iter().map(|report| (report.name.as_str(), report.position)).collect();
    assert_eq!(names, [("model", Position::Open), ("redis-cache", Position::Closed)]);
    assert_eq!(breakers.reset("model").unwrap().position, Position::Closed);
    assert_eq!(breakers.reset("other"), None);
    assert!(model.permit().is_ok());
}
