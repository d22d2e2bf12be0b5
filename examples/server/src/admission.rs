//! How much is let in: live streams, recordings, and the streams of each token.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::{
    auth::Client,
    breaker::{Breaker, PAUSE},
};

/// Streams wait so long for an inference thread when it is time to let no more in.
pub const LONGEST_DELAY: Duration = Duration::from_millis(150);

/// When a refused client may try again.
pub const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Why something is not let in. All of them pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// All places for live streams are taken.
    #[error("all {0} live streams of this server are in use")]
    Streams(usize),
    /// All places for recordings are taken.
    #[error("{0} recordings are being recognized, which is as many as this server takes at once")]
    Recordings(usize),
    /// The token's own limit.
    #[error("the token {name:?} has its {limit} {what} open")]
    Client {
        /// The token's name.
        name: String,
        /// Its limit.
        limit: usize,
        /// Of what.
        what: &'static str,
    },
    /// Recognition failed again and again.
    #[error("recognition on this server fails")]
    Broken,
    /// Streams that are in already wait too long.
    #[error("this server is behind with the streams that it has")]
    Behind,
    /// The server is about to stop.
    #[error("this server is stopping")]
    Stopping,
}

impl Refusal {
    /// When it is worth another try.
    pub fn retry_after(&self) -> Duration {
        if *self == Self::Broken { PAUSE } else { RETRY_AFTER }
    }
}

/// Counts what is in.
#[derive(Debug)]
pub struct Admission {
    max_streams: usize,
    max_recordings: usize,
    counts: Mutex<Counts>,
    left: Notify,
}

#[derive(Debug, Default)]
struct Counts {
    streams: usize,
    recordings: usize,
    clients: HashMap<String, Used>,
    breaker: Breaker,
    stopping: bool,
}

/// What a token uses.
#[derive(Debug, Default)]
struct Used {
    streams: usize,
    recordings: usize,
}

/// A place that is taken until this is dropped.
#[derive(Debug)]
pub struct Place {
    admission: Arc<Admission>,
    live: bool,
    client: Option<String>,
}

impl Admission {
    /// Nothing is in.
    pub fn new(max_streams: usize, max_recordings: usize) -> Arc<Self> {
        Arc::new(Self { max_streams, max_recordings, counts: Mutex::default(), left: Notify::new() })
    }

    /// Takes a place for a live stream. `delay` is how long streams wait for their turn now.
    ///
    /// # Errors
    /// [`Refusal`] when there is none.
    pub fn stream(self: &Arc<Self>, client: Option<&Client>, delay: Duration) -> Result<Place, Refusal> {
        let mut counts = self.counts();
        if counts.stopping {
            return Err(Refusal::Stopping);
        }
        if counts.streams >= self.max_streams {
            return Err(Refusal::Streams(self.max_streams));
        }
        if counts.streams > 0 && delay > LONGEST_DELAY {
            return Err(Refusal::Behind);
        }
        if let Some(client) = client {
            let used = counts.clients.get(&client.name).map_or(0, |used| used.streams);
            if let Some(limit) = client.max_streams
                && used >= limit
            {
                return Err(Refusal::Client { name: client.name.clone(), limit, what: "live streams" });
            }
        }
        if !counts.breaker.lets_through(Instant::now()) {
            return Err(Refusal::Broken);
        }
        if let Some(client) = client {
            counts.clients.entry(client.name.clone()).or_default().streams += 1;
        }
        counts.streams += 1;
        Ok(Place { admission: self.clone(), live: true, client: client.map(|client| client.name.clone()) })
    }

    /// Takes a place for a recording.
    ///
    /// # Errors
    /// [`Refusal`] when there is none.
    pub fn recording(self: &Arc<Self>, client: Option<&Client>) -> Result<Place, Refusal> {
        let mut counts = self.counts();
        if counts.stopping {
            return Err(Refusal::Stopping);
        }
        if counts.recordings >= self.max_recordings {
            return Err(Refusal::Recordings(self.max_recordings));
        }
        if let Some(client) = client {
            let used = counts.clients.get(&client.name).map_or(0, |used| used.recordings);
            if let Some(limit) = client.max_recordings
                && used >= limit
            {
                return Err(Refusal::Client { name: client.name.clone(), limit, what: "recordings" });
            }
        }
        if !counts.breaker.lets_through(Instant::now()) {
            return Err(Refusal::Broken);
        }
        if let Some(client) = client {
            counts.clients.entry(client.name.clone()).or_default().recordings += 1;
        }
        counts.recordings += 1;
        Ok(Place { admission: self.clone(), live: false, client: client.map(|client| client.name.clone()) })
    }

    /// Whether recognition fails again and again, so that nothing but a try is let in.
    pub fn is_broken(&self) -> bool {
        self.counts().breaker.is_open()
    }

    /// Lets nothing more in.
    pub fn stop(&self) {
        self.counts().stopping = true;
    }

    /// Whether [`Admission::stop`] was called.
    pub fn is_stopping(&self) -> bool {
        self.counts().stopping
    }

    /// Live streams and recordings that are in.
    pub fn count(&self) -> (usize, usize) {
        let counts = self.counts();
        (counts.streams, counts.recordings)
    }

    /// Most live streams.
    pub fn max_streams(&self) -> usize {
        self.max_streams
    }

    /// Waits until all have left.
    pub async fn empty(&self) {
        loop {
            let left = self.left.notified();
            tokio::pin!(left);
            left.as_mut().enable();
            if self.count() == (0, 0) {
                return;
            }
            left.await;
        }
    }

    fn counts(&self) -> std::sync::MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Tells how the recognition in this place ended: well, or by a defect of the server.
    pub fn ended(&self, well: bool) {
        let breaker = &mut self.admission.counts().breaker;
        if well { breaker.succeeded() } else { breaker.failed(Instant::now()) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.admission.counts();
        if self.live {
            counts.streams -= 1;
        } else {
            counts.recordings -= 1;
        }
        if let Some(client) = &self.client
            && let Some(used) = counts.clients.get_mut(client)
        {
            if self.live {
                used.streams -= 1;
            } else {
                used.recordings -= 1;
            }
        }
        drop(counts);
        self.admission.left.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_and_given_back() {
        let admission = Admission::new(2, 1);
        let first = admission.stream(None, Duration::ZERO).unwrap();
        let second = admission.stream(None, Duration::ZERO).unwrap();
        assert_eq!(admission.stream(None, Duration::ZERO).unwrap_err(), Refusal::Streams(2));
        drop(first);
        let third = admission.stream(None, Duration::ZERO).unwrap();
        let recording = admission.recording(None).unwrap();
        assert_eq!(admission.recording(None).unwrap_err(), Refusal::Recordings(1));
        assert_eq!(admission.count(), (2, 1));
        drop((second, third, recording));
        assert_eq!(admission.count(), (0, 0));
    }

    #[test]
    fn a_token_has_its_own_limit() {
        let admission = Admission::new(10, 10);
        let client = Client { name: "kiosk".into(), max_streams: Some(1), max_recordings: Some(1) };
        let other = Client { name: "office".into(), max_streams: None, max_recordings: None };
        let place = admission.stream(Some(&client), Duration::ZERO).unwrap();
        let refused = admission.stream(Some(&client), Duration::ZERO).unwrap_err();
        assert_eq!(refused, Refusal::Client { name: "kiosk".into(), limit: 1, what: "live streams" });
        admission.stream(Some(&other), Duration::ZERO).unwrap();
        let recording = admission.recording(Some(&client)).unwrap();
        let refused = admission.recording(Some(&client)).unwrap_err();
        assert_eq!(refused.to_string(), "the token \"kiosk\" has its 1 recordings open");
        admission.recording(Some(&other)).unwrap();
        drop((place, recording));
        admission.stream(Some(&client), Duration::ZERO).unwrap();
        admission.recording(Some(&client)).unwrap();
    }

    #[test]
    fn what_fails_again_and_again_is_refused() {
        let admission = Admission::new(10, 10);
        for _ in 0..5 {
            assert!(!admission.is_broken());
            admission.stream(None, Duration::ZERO).unwrap().ended(false);
        }
        assert!(admission.is_broken());
        assert_eq!(admission.stream(None, Duration::ZERO).unwrap_err(), Refusal::Broken);
        assert_eq!(admission.recording(None).unwrap_err(), Refusal::Broken);
        assert_eq!(Refusal::Broken.retry_after(), PAUSE);
        assert_eq!(admission.count(), (0, 0));
    }

    #[test]
    fn a_server_that_is_behind_lets_no_more_in() {
        let admission = Admission::new(10, 1);
        let late = LONGEST_DELAY * 2;
        let first = admission.stream(None, late).expect("an empty server can't be behind for long");
        assert_eq!(admission.stream(None, late).unwrap_err(), Refusal::Behind);
        drop(first);
        admission.stop();
        assert_eq!(admission.stream(None, Duration::ZERO).unwrap_err(), Refusal::Stopping);
        assert_eq!(admission.recording(None).unwrap_err(), Refusal::Stopping);
    }

    #[tokio::test]
    async fn the_last_one_out_is_noticed() {
        let admission = Admission::new(2, 1);
        admission.empty().await;
        let place = admission.stream(None, Duration::ZERO).unwrap();
        let waiting = tokio::spawn({
            let admission = admission.clone();
            async move { admission.empty().await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!waiting.is_finished());
        drop(place);
        waiting.await.unwrap();
    }
}
