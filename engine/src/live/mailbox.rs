//! Events on their way from the recognizer's thread to the host.
//!
//! Finals, interims that take words back, and whatever else must not be lost wait in a queue, the newest other interim in a
//! place of its own. Storage is swapped under the lock and never copied or freed there, so that neither side keeps the other
//! waiting; it goes round, so that a host that keeps up makes nobody allocate.

use std::{
    collections::VecDeque,
    mem,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{LiveEvent, Notice, SourceError, State};
use crate::{Event, transcript::Hypothesis};

/// Finals whose storage is made in advance.
const SPARE: usize = 8;

/// Events beyond the backlog that the queue has room for: more than come of one block of audio.
pub(super) const SLACK: usize = 64;

pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    news: Condvar,
    backlog: usize,
}

struct Inner {
    queue: VecDeque<Entry>,
    interim: Hypothesis,
    interim_stamp: Option<Stamp>,
    spare: Vec<Hypothesis>,
    closed: bool,
}

struct Entry {
    what: Queued,
    stamp: Stamp,
}

enum Queued {
    Final(Hypothesis),
    /// An interim without words, which has its place before what comes after it.
    Withdrawn(Hypothesis),
    SpeechStarted {
        at: Duration,
    },
    UtteranceEnd {
        last_word_end: Duration,
    },
    Gap {
        at: Duration,
        length: Duration,
    },
    State(State),
    Trouble {
        error: SourceError,
        retry_in: Duration,
    },
    DeadMicrophone {
        since: Duration,
    },
    MicrophoneAlive {
        at: Duration,
    },
    Notice(Notice),
}

/// Where an event's time went, on the session's clock.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stamp {
    /// When the last of the audio was captured that brought the event; `None` where none did.
    pub(super) captured: Option<Duration>,
    /// When it was put here.
    pub(super) made: Duration,
}

/// What the host holds of its last event.
#[derive(Default)]
pub(super) struct Lent {
    hypothesis: Hypothesis,
    error: Option<SourceError>,
    notice: Option<Notice>,
}

/// What [`Mailbox::take`] found.
#[derive(Clone, Copy)]
enum Taken {
    Interim,
    Final,
    Trouble { retry_in: Duration },
    Notice,
    Plain(LiveEvent<'static>),
}

impl Mailbox {
    pub(super) fn new(backlog: usize) -> Self {
        let inner = Inner {
            queue: VecDeque::with_capacity(backlog + SLACK),
            interim: Hypothesis::roomy(),
            interim_stamp: None,
            spare: (0..SPARE).map(|_| Hypothesis::roomy()).collect(),
            closed: false,
        };
        Self { inner: Mutex::new(inner), news: Condvar::new(), backlog }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Nothing that is done under the lock can leave it half done.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the host keeps up so far that more may happen.
    pub(super) fn has_room(&self) -> bool {
        self.lock().queue.len() < self.backlog
    }

    /// Puts an event of the stream in. `scratch` is storage for an interim, swapped with the older one.
    pub(super) fn put_heard(&self, event: Event<'_>, stamp: Stamp, scratch: &mut Hypothesis) {
        let what = match event {
            Event::Interim(hypothesis) if hypothesis.words().is_empty() => Queued::Withdrawn(self.store(hypothesis)),
            Event::Interim(hypothesis) => {
                scratch.clone_from(hypothesis);
                let mut inner = self.lock();
                mem::swap(&mut inner.interim, scratch);
                inner.interim_stamp = Some(stamp);
                drop(inner);
                self.news.notify_one();
                return;
            }
            Event::Final(hypothesis) => Queued::Final(self.store(hypothesis)),
            Event::SpeechStarted { at } => Queued::SpeechStarted { at },
            Event::UtteranceEnd { last_word_end } => Queued::UtteranceEnd { last_word_end },
            Event::Gap { at, length } => Queued::Gap { at, length },
        };
        self.put(what, stamp);
    }

    fn store(&self, hypothesis: &Hypothesis) -> Hypothesis {
        let mut storage = self.lock().spare.pop().unwrap_or_default();
        storage.clone_from(hypothesis);
        storage
    }

    pub(super) fn put_state(&self, state: State, stamp: Stamp) {
        self.put(Queued::State(state), stamp);
    }

    pub(super) fn put_trouble(&self, error: SourceError, retry_in: Duration, stamp: Stamp) {
        self.put(Queued::Trouble { error, retry_in }, stamp);
    }

    pub(super) fn put_notice(&self, notice: Notice, stamp: Stamp) {
        self.put(Queued::Notice(notice), stamp);
    }

    pub(super) fn put_dead_microphone(&self, since: Duration, stamp: Stamp) {
        self.put(Queued::DeadMicrophone { since }, stamp);
    }

    pub(super) fn put_microphone_alive(&self, at: Duration, stamp: Stamp) {
        self.put(Queued::MicrophoneAlive { at }, stamp);
    }

    fn put(&self, what: Queued, stamp: Stamp) {
        let mut inner = self.lock();
        if matches!(what, Queued::Final(_) | Queued::Withdrawn(_)) {
            // What the interim said is in the final, or taken back.
            inner.interim_stamp = None;
        }
        let mut replaced = None;
        match (inner.queue.back_mut(), &what) {
            (Some(last @ Entry { what: Queued::Trouble { .. }, .. }), Queued::Trouble { .. }) => {
                replaced = Some(mem::replace(last, Entry { what, stamp }));
            }
            _ => inner.queue.push_back(Entry { what, stamp }),
        }
        drop(inner);
        drop(replaced);
        self.news.notify_one();
    }

    /// No more events will come.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.news.notify_all();
    }

    /// Whether no event is here and none will come.
    pub(super) fn is_exhausted(&self) -> bool {
        let inner = self.lock();
        inner.closed && inner.queue.is_empty() && inner.interim_stamp.is_none()
    }

    /// The oldest event, waiting for one at most this long.
    pub(super) fn take<'a>(&self, lent: &'a mut Lent, timeout: Duration) -> Option<(LiveEvent<'a>, Stamp)> {
        let deadline = Instant::now().checked_add(timeout);
        let mut inner = self.lock();
        let (taken, stamp) = loop {
            if let Some(taken) = inner.next(lent) {
                break taken;
            }
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            if inner.closed || left.is_zero() {
                return None;
            }
            inner = self.news.wait_timeout(inner, left).unwrap_or_else(PoisonError::into_inner).0;
        };
        drop(inner);
        let event = match (taken, lent) {
            (Taken::Interim, lent) => LiveEvent::Heard(Event::Interim(&lent.hypothesis)),
            (Taken::Final, lent) => LiveEvent::Heard(Event::Final(&lent.hypothesis)),
            (Taken::Trouble { retry_in }, Lent { error: Some(error), .. }) => LiveEvent::Trouble { error, retry_in },
            (Taken::Notice, Lent { notice: Some(notice), .. }) => LiveEvent::Notice(notice),
            (Taken::Plain(event), _) => event,
            (Taken::Trouble { .. } | Taken::Notice, _) => return None,
        };
        Some((event, stamp))
    }
}

impl Inner {
    fn lend(&mut self, hypothesis: Hypothesis, lent: &mut Lent) {
        let old = mem::replace(&mut lent.hypothesis, hypothesis);
        if self.spare.len() < SPARE {
            self.spare.push(old);
        }
    }

    fn next(&mut self, lent: &mut Lent) -> Option<(Taken, Stamp)> {
        let Some(Entry { what, stamp }) = self.queue.pop_front() else {
            let stamp = self.interim_stamp.take()?;
            mem::swap(&mut self.interim, &mut lent.hypothesis);
            return Some((Taken::Interim, stamp));
        };
        let taken = match what {
            Queued::Final(hypothesis) => {
                self.lend(hypothesis, lent);
                Taken::Final
            }
            Queued::Withdrawn(hypothesis) => {
                self.lend(hypothesis, lent);
                Taken::Interim
            }
            Queued::Trouble { error, retry_in } => {
                lent.error = Some(error);
                Taken::Trouble { retry_in }
            }
            Queued::Notice(notice) => {
                lent.notice = Some(notice);
                Taken::Notice
            }
            Queued::SpeechStarted { at } => Taken::Plain(LiveEvent::Heard(Event::SpeechStarted { at })),
            Queued::UtteranceEnd { last_word_end } => {
                Taken::Plain(LiveEvent::Heard(Event::UtteranceEnd { last_word_end }))
            }
            Queued::Gap { at, length } => Taken::Plain(LiveEvent::Heard(Event::Gap { at, length })),
            Queued::State(state) => Taken::Plain(LiveEvent::State(state)),
            Queued::DeadMicrophone { since } => Taken::Plain(LiveEvent::DeadMicrophone { since }),
            Queued::MicrophoneAlive { at } => Taken::Plain(LiveEvent::MicrophoneAlive { at }),
        };
        Some((taken, stamp))
    }
}
