use super::*;

const OLD: u64 = 1;
const NEW: u64 = 2;

fn at(ms: u64) -> StreamId {
    StreamId(ms, 0)
}

/// What there is to be seen of a log from `first` to `last` on `server`.
fn seen(server: u64, first: u64, last: u64, has_known: bool) -> Seen {
    Seen {
        server,
        time: 1000,
        ends: Some((at(first), at(last))),
        has_known,
    }
}

/// One that follows the log of the server `OLD` up to 10.
fn following() -> History {
    let mut history = History::default();
    assert!(!history.begin(&seen(OLD, 1, 10, false), StreamId::default(), true));
    history.names(OLD, at(1));
    assert_eq!(history.at_end(Instant::now()), Todo::Nothing);
    history
}

#[test]
fn a_log_that_has_what_is_known_is_the_same() {
    let mut history = following();
    assert!(!history.begin(&seen(OLD, 1, 12, true), at(10), false));
    assert_eq!(history.at_end(Instant::now()), Todo::Nothing);
}

#[test]
fn an_older_copy_is_in_doubt_and_that_is_told_unless_somebody_has() {
    let mut history = following();
    assert!(history.begin(&seen(OLD, 1, 8, false), at(10), true));
    let begun = Instant::now();
    let _ = history.at_end(begun); // others may say so first
    let late = begun + PATIENCE;
    assert_eq!(history.at_end(late), Todo::SayLost(at(10)));
    history.said();
    assert_eq!(history.at_end(Instant::now()), Todo::Nothing);
    assert!(!history.told_lost(at(9)), "that is in doubt already");
    assert!(history.told_lost(at(11)), "somebody knew of more");

    let mut other = following();
    assert!(other.begin(&seen(OLD, 1, 12, false), at(10), true));
    assert!(matches!(
        other.at_end(Instant::now()),
        Todo::Wait(_) | Todo::SayLost(_)
    ));
    assert!(!other.told_lost(at(10)));
    assert_eq!(other.at_end(Instant::now()), Todo::Nothing);
}

#[test]
fn a_log_that_was_trimmed_or_begun_anew_is_in_doubt_and_who_starts_sees_that_itself() {
    let mut history = following();
    assert!(history.begin(&seen(OLD, 20, 30, false), at(10), true));
    assert_eq!(history.at_end(Instant::now()), Todo::Nothing);
}

#[test]
fn who_was_in_contact_vouches_for_another_server() {
    let mut history = following();
    assert!(!history.begin(&seen(NEW, 1, 10, true), at(10), true));
    assert_eq!(history.at_end(Instant::now()), Todo::Vouch);
    history.said();
    assert_eq!(history.at_end(Instant::now()), Todo::Nothing);
}

#[test]
fn who_cannot_vouch_waits_for_another_and_then_doubts() {
    let now = Instant::now();
    for known in [StreamId::default(), at(10)] {
        let begun = || {
            let mut history = History::default();
            assert!(!history.begin(&seen(NEW, 1, 10, true), known, false));
            history.names(OLD, at(1));
            history
        };
        let mut history = begun();
        let Todo::Wait(until) = history.at_end(now) else {
            panic!("it waits");
        };
        assert!(until <= now + PATIENCE * 2);
        assert_eq!(history.at_end(now), Todo::Wait(until));
        assert_eq!(history.at_end(until), Todo::Doubt);
        history.said();
        assert_eq!(history.at_end(until), Todo::Nothing);

        let mut vouched_for = begun();
        assert!(matches!(vouched_for.at_end(now), Todo::Wait(_)));
        vouched_for.names(NEW, at(11));
        assert_eq!(vouched_for.at_end(until), Todo::Nothing);
    }
}

#[test]
fn a_server_that_does_not_say_who_it_is_is_not_asked_about() {
    let mut history = following();
    assert!(!history.begin(&seen(0, 1, 10, true), at(10), false));
    assert_eq!(history.at_end(Instant::now()), Todo::Nothing);
    assert!(!history.begin(&seen(NEW, 1, 10, true), at(10), false));
    assert!(
        matches!(history.at_end(Instant::now()), Todo::Wait(_)),
        "the one before is remembered"
    );
}
