use std::sync::mpsc;

use super::*;

/// Writes its name for each input, and can be told to misbehave.
struct Scribe {
    name: &'static str,
    log: mpsc::Sender<&'static str>,
}

enum Task {
    Write(usize),
    Wait(mpsc::Receiver<()>),
    Stop,
    Panic,
}

impl Input for Task {
    fn cost(&self) -> usize {
        match self {
            Self::Write(cost) => *cost,
            _ => 0,
        }
    }
}

impl Work for Scribe {
    type Input = Task;

    fn run(&mut self, input: Task) -> bool {
        match input {
            Task::Write(_) => self.log.send(self.name).is_ok(),
            Task::Wait(until) => until.recv().is_ok(),
            Task::Stop => false,
            Task::Panic => panic!("as told"),
        }
    }

    fn crashed(&mut self) {
        self.log.send("crashed").unwrap();
    }
}

impl Drop for Scribe {
    fn drop(&mut self) {
        let _ = self.log.send("gone");
    }
}

fn scribe(name: &'static str, log: &mpsc::Sender<&'static str>) -> Scribe {
    Scribe { name, log: log.clone() }
}

/// A pool of one thread that a first seat holds until the sender is dropped or sent to.
fn held_pool() -> (Pool<Scribe>, Seat<Scribe>, mpsc::Sender<()>) {
    let pool = Pool::new(1).unwrap();
    let (release, until) = mpsc::channel();
    let (log, _) = mpsc::channel();
    let holder = pool.seat(Class::Live, 1, scribe("holder", &log));
    holder.offer(Task::Wait(until)).unwrap();
    (pool, holder, release)
}

fn take(log: &mpsc::Receiver<&'static str>, count: usize) -> Vec<&'static str> {
    (0..count).map(|_| log.recv_timeout(Duration::from_secs(10)).unwrap()).collect()
}

#[test]
fn a_greedy_stream_takes_turns_with_the_others() {
    let (pool, _holder, release) = held_pool();
    let (sender, log) = mpsc::channel();
    let greedy = pool.seat(Class::Live, 100_000, scribe("greedy", &sender));
    let modest = pool.seat(Class::Live, 100_000, scribe("modest", &sender));
    for _ in 0..20 {
        greedy.offer(Task::Write(TURN)).unwrap();
    }
    for _ in 0..2 {
        modest.offer(Task::Write(TURN)).unwrap();
    }
    release.send(()).unwrap();
    assert_eq!(take(&log, 5), ["greedy", "modest", "greedy", "modest", "greedy"]);
    assert_eq!(take(&log, 17), ["greedy"; 17]);
}

#[test]
fn small_inputs_share_a_turn() {
    let (pool, _holder, release) = held_pool();
    let (sender, log) = mpsc::channel();
    let one = pool.seat(Class::Live, 100_000, scribe("one", &sender));
    let two = pool.seat(Class::Live, 100_000, scribe("two", &sender));
    for seat in [&one, &two] {
        for _ in 0..4 {
            seat.offer(Task::Write(TURN / 2)).unwrap();
        }
    }
    release.send(()).unwrap();
    assert_eq!(take(&log, 8), ["one", "one", "two", "two", "one", "one", "two", "two"]);
}

#[test]
fn recordings_wait_for_live_streams_but_do_not_starve() {
    let (pool, _holder, release) = held_pool();
    let (sender, log) = mpsc::channel();
    let recording = pool.seat(Class::Background, 100_000, scribe("recording", &sender));
    let live = pool.seat(Class::Live, 100_000, scribe("live", &sender));
    for _ in 0..40 {
        recording.offer(Task::Write(TURN)).unwrap();
        live.offer(Task::Write(TURN)).unwrap();
    }
    release.send(()).unwrap();
    let first = take(&log, 33);
    let recordings = first.iter().filter(|name| **name == "recording").count();
    assert!((3..=6).contains(&recordings), "{recordings} of 33 turns");
}

#[tokio::test]
async fn a_full_inbox_makes_the_sender_wait() {
    let (pool, _holder, release) = held_pool();
    let (sender, log) = mpsc::channel();
    let seat = Arc::new(pool.seat(Class::Live, 300, scribe("full", &sender)));
    assert!(seat.offer(Task::Write(200)).unwrap().is_none());
    assert!(seat.offer(Task::Write(200)).unwrap().is_none(), "an inbox that is not full takes any input");
    assert!(seat.offer(Task::Write(1)).unwrap().is_some());
    let waiting = tokio::spawn({
        let seat = seat.clone();
        async move { seat.send(Task::Write(1)).await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!waiting.is_finished());
    release.send(()).unwrap();
    waiting.await.unwrap().unwrap();
    assert_eq!(take(&log, 3), ["full"; 3]);
}

#[test]
fn no_input_is_free() {
    let (pool, _holder, release) = held_pool();
    let (sender, log) = mpsc::channel();
    let seat = pool.seat(Class::Live, 100, scribe("flood", &sender));
    let taken = (0..10_000).take_while(|_| seat.offer(Task::Write(0)).unwrap().is_none()).count();
    assert_eq!(taken, 100);
    release.send(()).unwrap();
    assert_eq!(take(&log, 100), ["flood"; 100]);
}

/// Streams that send in real time, one that sends as fast as it can, and recordings: nobody waits for long.
#[test]
fn real_time_streams_wait_no_longer_because_others_are_greedy() {
    const STREAMS: usize = 20;
    let (pool, _holder, release) = held_pool();
    let (sender, log) = mpsc::channel();
    let names: Vec<&'static str> = (0..STREAMS).map(|i| &*format!("stream {i}").leak()).collect();
    let greedy = pool.seat(Class::Live, 1_000_000, scribe("greedy", &sender));
    let recording = pool.seat(Class::Background, 1_000_000, scribe("recording", &sender));
    for _ in 0..1000 {
        greedy.offer(Task::Write(100)).unwrap();
        recording.offer(Task::Write(100)).unwrap();
    }
    let streams: Vec<_> = names.iter().map(|name| pool.seat(Class::Live, 2000, scribe(name, &sender))).collect();
    for stream in &streams {
        stream.offer(Task::Write(100)).unwrap();
    }
    release.send(()).unwrap();
    let order = take(&log, 2 + 3 * STREAMS);
    for name in names {
        let place = order.iter().position(|other| *other == name).expect("its turn has come");
        // The greedy one's turn, those of the streams before, and the share of the recordings.
        let most = 2 + STREAMS + 2 * (STREAMS / BACKGROUND_SHARE as usize + 1);
        assert!(place <= most, "{name} waits for {place} pieces");
    }
}

#[test]
fn an_ended_stream_says_so_and_frees_its_state() {
    let pool = Pool::new(2).unwrap();
    let (sender, log) = mpsc::channel();
    let seat = pool.seat(Class::Live, 1000, scribe("ended", &sender));
    seat.offer(Task::Stop).unwrap();
    assert_eq!(take(&log, 1), ["gone"]);
    while seat.offer(Task::Write(1)).is_ok() {
        thread::yield_now();
    }

    let seat = pool.seat(Class::Live, 1000, scribe("dropped", &sender));
    seat.offer(Task::Write(1)).unwrap();
    drop(seat);
    assert_eq!(take(&log, 2), ["dropped", "gone"], "what waits is still worked on");

    drop(pool.seat(Class::Live, 1000, scribe("idle", &sender)));
    assert_eq!(take(&log, 1), ["gone"]);
}

#[test]
fn a_panic_ends_one_stream_only() {
    let pool = Pool::new(1).unwrap();
    let (sender, log) = mpsc::channel();
    let bad = pool.seat(Class::Live, 1000, scribe("bad", &sender));
    bad.offer(Task::Panic).unwrap();
    assert_eq!(take(&log, 2), ["crashed", "gone"]);
    let good = pool.seat(Class::Live, 1000, scribe("good", &sender));
    good.offer(Task::Write(1)).unwrap();
    assert_eq!(take(&log, 1), ["good"]);
}
