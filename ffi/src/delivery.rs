//! How a live session's events reach the host: a thread takes them from the engine and calls the host, or holds each
//! until the host takes it.

use std::{
    ffi::c_void,
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use linnet::live::{Live, LiveEvent};

use crate::{
    error::Failure,
    event::{Lent, linnet_event_t},
};

/// How long the thread waits for an event before it looks whether it is still needed.
const LOOK: Duration = Duration::from_millis(50);

/// A function of the host with its data.
pub(crate) struct Callback {
    function: unsafe extern "C" fn(*mut c_void, *const linnet_event_t),
    user_data: *mut c_void,
}

// SAFETY: the host promises that its function may be called on another thread with its data.
unsafe impl Send for Callback {}

impl Callback {
    pub fn new(function: unsafe extern "C" fn(*mut c_void, *const linnet_event_t), user_data: *mut c_void) -> Self {
        Self { function, user_data }
    }

    fn call(&self, event: &linnet_event_t) {
        // SAFETY: the host promises that the function takes its data and an event until the session is freed.
        unsafe { (self.function)(self.user_data, event) };
    }
}

/// The events of one session on their way to the host.
pub(crate) struct Delivery {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    has_callback: bool,
}

struct Shared {
    waiting: Mutex<Waiting>,
    changed: Condvar,
    signal: Option<Signal>,
}

#[derive(Default)]
struct Waiting {
    /// The event that the host gets next, in `lent`.
    next: Option<linnet_event_t>,
    lent: Lent,
    /// What the host got last; lent to it until it asks for the next.
    taken: Lent,
    closed: bool,
    over: bool,
}

// SAFETY: the pointers in `next` are into `lent`, which goes along, and static memory.
unsafe impl Send for Waiting {}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Delivery {
    /// Takes a session's events from now on.
    pub fn start(live: Live, callback: Option<Callback>, wants_fd: bool) -> Result<Self, Failure> {
        let signal = match wants_fd {
            true => Some(Signal::new()?),
            false => None,
        };
        let shared = Arc::new(Shared { waiting: Mutex::default(), changed: Condvar::new(), signal });
        let has_callback = callback.is_some();
        let for_thread = shared.clone();
        let thread = thread::Builder::new()
            .name("linnet events".into())
            .spawn(move || match callback {
                Some(callback) => call_back(live, &callback, &for_thread),
                None => hold(live, &for_thread),
            })
            .map_err(|error| Failure::resources(format!("the system gives no thread for the events: {error}")))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)), has_callback })
    }

    /// The next event, or none after `timeout` or the last.
    pub fn next(&self, timeout: Duration) -> Result<linnet_event_t, Failure> {
        if self.has_callback {
            return Err(Failure::argument("this session hands its events to its callback"));
        }
        let deadline = Instant::now() + timeout;
        let mut waiting = self.shared.lock();
        loop {
            if let Some(event) = waiting.next.take() {
                let Waiting { lent, taken, .. } = &mut *waiting;
                std::mem::swap(lent, taken);
                if let Some(signal) = &self.shared.signal {
                    signal.lower();
                }
                self.shared.changed.notify_all();
                return Ok(event);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || waiting.closed || waiting.over {
                return Ok(linnet_event_t::none());
            }
            let waited = self.shared.changed.wait_timeout(waiting, left);
            waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The descriptor that is readable while an event waits.
    pub fn descriptor(&self) -> Result<i32, Failure> {
        let signal = self.shared.signal.as_ref();
        signal
            .ok_or_else(|| {
                Failure::argument("the session was started without event_fd; set it in linnet_live_config_t")
            })?
            .descriptor()
    }

    /// Ends the session. After it no callback runs, except the one that called it.
    pub fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != thread::current().id()
        {
            // A panic of the thread was told where it happened.
            let _ = thread.join();
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.close();
    }
}

/// Runs `each` on every event of a session until that is over, closed, or `each` wants no more.
fn take_all(mut live: Live, shared: &Shared, mut each: impl FnMut(LiveEvent<'_>) -> bool) {
    while !live.is_over() && !shared.lock().closed {
        let Some(event) = live.next_event(LOOK) else { continue };
        log_event(event);
        if !each(event) {
            break;
        }
    }
    // The session ends before anybody hears that there will be no more events.
    drop(live);
    shared.lock().over = true;
    shared.changed.notify_all();
}

/// Tells the log how a session goes; not what was said.
fn log_event(event: LiveEvent<'_>) {
    match event {
        LiveEvent::State(state) => log::info!(target: "linnet::live", "the session is {}", state.name()),
        LiveEvent::Notice(notice) => log::info!(target: "linnet::live", "{notice}"),
        LiveEvent::Trouble { error, retry_in } => {
            log::warn!(target: "linnet::live", "{error} (again in {} ms)", retry_in.as_millis());
        }
        LiveEvent::DeadMicrophone { since } => {
            log::warn!(target: "linnet::live", "the microphone delivers one and the same value since {since:?}");
        }
        LiveEvent::MicrophoneAlive { .. } => log::info!(target: "linnet::live", "the microphone delivers sound again"),
        _ => {}
    }
}

fn call_back(live: Live, callback: &Callback, shared: &Shared) {
    let mut lent = Lent::default();
    take_all(live, shared, |event| {
        if let Some(event) = lent.live_event(event) {
            callback.call(&event);
        }
        !shared.lock().closed
    });
}

/// Holds one event until it is taken: meanwhile the session keeps finals, and the newest interim only.
fn hold(live: Live, shared: &Shared) {
    take_all(live, shared, |event| {
        let mut waiting = shared.lock();
        let Some(event) = waiting.lent.live_event(event) else { return true };
        waiting.next = Some(event);
        if let Some(signal) = &shared.signal {
            signal.raise();
        }
        shared.changed.notify_all();
        while waiting.next.is_some() && !waiting.closed {
            waiting = shared.changed.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        !waiting.closed
    });
}

/// A pipe that holds one byte while an event waits.
struct Signal {
    reader: io::PipeReader,
    writer: io::PipeWriter,
}

impl Signal {
    fn new() -> Result<Self, Failure> {
        let (reader, writer) = io::pipe()
            .map_err(|error| Failure::resources(format!("the system gives no pipe for event_fd: {error}")))?;
        Ok(Self { reader, writer })
    }

    /// Raised only when it is down, under the lock of the event: the byte always fits.
    fn raise(&self) {
        // Both ends are open as long as the session is.
        let _ = io::Write::write_all(&mut &self.writer, &[1]);
    }

    /// Lowered only when it is up, under the same lock: there is a byte to read.
    fn lower(&self) {
        let _ = io::Read::read_exact(&mut &self.reader, &mut [0]);
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Result<i32, Failure> {
        use std::os::fd::AsRawFd;
        Ok(self.reader.as_raw_fd())
    }

    #[cfg(not(unix))]
    fn descriptor(&self) -> Result<i32, Failure> {
        Err(Failure::unsupported("this system has no file descriptors; use a callback or linnet_live_next"))
    }
}
