//! One pool of inference threads for all streams, scheduled fairly.
//!
//! A stream has a [`Seat`]: an inbox with bounded room and a state that one thread works on at a time. Threads take
//! turns of about a fifth of a second of audio, and a stream with more to do goes to the back of its line, so that one
//! that sends faster than real time can't hold up the others. Live streams come before recordings, which still get
//! one turn in `BACKGROUND_SHARE` while both lines wait.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

/// Of so many turns one is a recording's, when both lines wait.
const BACKGROUND_SHARE: u32 = 8;

/// Most work of one turn, in the units of [`Input::cost`].
const TURN: usize = 200;

/// Something that a stream has to do.
pub trait Input: Send + 'static {
    /// What it costs, in milliseconds of audio. Less than one counts as one.
    fn cost(&self) -> usize;
}

/// What an input takes of an inbox and of a turn: at least one, so that no flood of small inputs is free.
fn cost(input: &impl Input) -> usize {
    input.cost().max(1)
}

/// What a pool thread runs for a stream.
pub trait Work: Send + 'static {
    /// What it works on.
    type Input: Input;
    /// Works on one input. Returns whether it takes more.
    fn run(&mut self, input: Self::Input) -> bool;
    /// Called once when [`Work::run`] panicked; nothing else is called after it.
    fn crashed(&mut self) {}
}

/// Which line a stream stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Someone waits for each word.
    Live,
    /// Recordings.
    Background,
}

/// The threads and the lines in front of them.
pub struct Pool<W: Work> {
    lines: Arc<Lines<W>>,
    threads: Vec<JoinHandle<()>>,
}

struct Lines<W: Work> {
    waiting: Mutex<Waiting<W>>,
    wake: std::sync::Condvar,
    /// Smoothed time that a seat waits for its turn, in µs.
    delay_us: AtomicU64,
}

struct Waiting<W: Work> {
    live: VecDeque<(Arc<Shared<W>>, Instant)>,
    background: VecDeque<(Arc<Shared<W>>, Instant)>,
    turns: u32,
    closed: bool,
}

/// A stream's place in the pool. Dropping it ends the stream after the inputs that wait; see [`Seat::leave`].
pub struct Seat<W: Work> {
    shared: Arc<Shared<W>>,
    lines: Arc<Lines<W>>,
}

struct Shared<W: Work> {
    class: Class,
    inbox: Mutex<Inbox<W::Input>>,
    room: Notify,
    /// `None` once the work has ended.
    work: Mutex<Option<W>>,
}

struct Inbox<I> {
    queue: VecDeque<I>,
    cost: usize,
    capacity: usize,
    /// In a line or being worked on.
    busy: bool,
    /// Takes nothing more.
    closed: bool,
}

/// The stream takes no more input: it has ended or failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the stream has ended")]
pub struct Closed;

/// Nothing in this module panics while it holds a lock, except work itself, which is dropped then.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<W: Work> Pool<W> {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system refuses one.
    pub fn new(threads: usize) -> std::io::Result<Self> {
        let waiting = Waiting { live: VecDeque::new(), background: VecDeque::new(), turns: 0, closed: false };
        let lines = Arc::new(Lines {
            waiting: Mutex::new(waiting),
            wake: std::sync::Condvar::new(),
            delay_us: AtomicU64::new(0),
        });
        let threads = (0..threads.max(1))
            .map(|index| {
                let lines = lines.clone();
                thread::Builder::new().name(format!("inference-{index}")).spawn(move || lines.serve())
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { lines, threads })
    }

    /// Number of threads.
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// Gives a stream a seat with room for `capacity` milliseconds of audio.
    pub fn seat(&self, class: Class, capacity: usize, work: W) -> Seat<W> {
        let inbox = Inbox { queue: VecDeque::new(), cost: 0, capacity, busy: false, closed: false };
        Seat {
            shared: Arc::new(Shared {
                class,
                inbox: Mutex::new(inbox),
                room: Notify::new(),
                work: Mutex::new(Some(work)),
            }),
            lines: self.lines.clone(),
        }
    }

    /// How long a stream lately waited for its turn: what grows first when there is too much to do.
    pub fn delay(&self) -> Duration {
        Duration::from_micros(self.lines.delay_us.load(Ordering::Relaxed))
    }
}

impl<W: Work> Drop for Pool<W> {
    fn drop(&mut self) {
        lock(&self.lines.waiting).closed = true;
        self.lines.wake.notify_all();
        for thread in self.threads.drain(..) {
            // A thread ends by itself; its streams' panics were caught.
            let _ = thread.join();
        }
    }
}

impl<W: Work> Lines<W> {
    fn enter(&self, seat: Arc<Shared<W>>) {
        let mut waiting = lock(&self.waiting);
        let line = match seat.class {
            Class::Live => &mut waiting.live,
            Class::Background => &mut waiting.background,
        };
        line.push_back((seat, Instant::now()));
        drop(waiting);
        self.wake.notify_one();
    }

    fn next(&self) -> Option<Arc<Shared<W>>> {
        let mut waiting = lock(&self.waiting);
        loop {
            if waiting.closed {
                return None;
            }
            waiting.turns = waiting.turns.wrapping_add(1);
            let next = if waiting.turns.is_multiple_of(BACKGROUND_SHARE) {
                waiting.background.pop_front().or_else(|| waiting.live.pop_front())
            } else {
                waiting.live.pop_front().or_else(|| waiting.background.pop_front())
            };
            match next {
                Some((seat, since)) => {
                    if seat.class == Class::Live {
                        self.note_delay(since.elapsed());
                    } else if waiting.live.is_empty() {
                        self.note_delay(Duration::ZERO);
                    }
                    return Some(seat);
                }
                None => waiting = self.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn note_delay(&self, delay: Duration) {
        let old = self.delay_us.load(Ordering::Relaxed);
        let new = (old * 31 + delay.as_micros() as u64) / 32;
        self.delay_us.store(new, Ordering::Relaxed);
    }

    fn serve(&self) {
        while let Some(seat) = self.next() {
            if seat.turn() {
                self.enter(seat);
            }
        }
    }
}

impl<W: Work> Shared<W> {
    /// Works on inputs for one turn. Returns whether there is more to do.
    fn turn(&self) -> bool {
        let mut slot = lock(&self.work);
        let mut done = 0;
        while done < TURN {
            let mut inbox = lock(&self.inbox);
            let Some(input) = inbox.queue.pop_front() else {
                inbox.busy = false;
                if inbox.closed {
                    drop(inbox);
                    *slot = None;
                }
                return false;
            };
            let cost = cost(&input);
            inbox.cost -= cost;
            drop(inbox);
            self.room.notify_one();
            done += cost;
            let more = slot.as_mut().is_some_and(|work| {
                catch_unwind(AssertUnwindSafe(|| work.run(input))).unwrap_or_else(|_| {
                    work.crashed();
                    false
                })
            });
            if !more {
                *slot = None;
                self.close();
                return false;
            }
        }
        let mut inbox = lock(&self.inbox);
        inbox.busy = !inbox.queue.is_empty();
        if !inbox.busy && inbox.closed {
            drop(inbox);
            *slot = None;
            return false;
        }
        inbox.busy
    }

    fn close(&self) {
        let mut inbox = lock(&self.inbox);
        inbox.closed = true;
        inbox.queue.clear();
        inbox.cost = 0;
        drop(inbox);
        self.room.notify_one();
    }

    /// Frees the state of a closed stream. A thread that works on it does so at the end of its turn.
    fn free_if_idle(&self) {
        let idle = !lock(&self.inbox).busy;
        if idle {
            *lock(&self.work) = None;
        }
    }
}

impl<W: Work> Seat<W> {
    /// Hands in an input if there is room; gives it back if there is none. An inbox that is not full takes an input of
    /// any cost.
    ///
    /// # Errors
    /// [`Closed`] when the stream has ended.
    pub fn offer(&self, input: W::Input) -> Result<Option<W::Input>, Closed> {
        let mut inbox = lock(&self.shared.inbox);
        if inbox.closed {
            return Err(Closed);
        }
        if inbox.cost >= inbox.capacity {
            return Ok(Some(input));
        }
        inbox.cost += cost(&input);
        inbox.queue.push_back(input);
        let wake = !std::mem::replace(&mut inbox.busy, true);
        drop(inbox);
        if wake {
            self.lines.enter(self.shared.clone());
        }
        Ok(None)
    }

    /// Waits until [`Seat::offer`] is worth another try. One task may wait.
    pub async fn room(&self) {
        loop {
            let notified = self.shared.room.notified();
            {
                let inbox = lock(&self.shared.inbox);
                if inbox.closed || inbox.cost < inbox.capacity {
                    return;
                }
            }
            notified.await;
        }
    }

    /// Hands in an input, and waits for room first.
    ///
    /// # Errors
    /// [`Closed`] when the stream has ended.
    pub async fn send(&self, mut input: W::Input) -> Result<(), Closed> {
        while let Some(back) = self.offer(input)? {
            input = back;
            self.room().await;
        }
        Ok(())
    }

    /// Ends the stream without working on what waits: nobody wants it any more.
    pub fn leave(&self) {
        self.shared.close();
        self.shared.free_if_idle();
    }
}

impl<W: Work> Drop for Seat<W> {
    fn drop(&mut self) {
        lock(&self.shared.inbox).closed = true;
        self.shared.free_if_idle();
    }
}

#[cfg(test)]
mod tests;
