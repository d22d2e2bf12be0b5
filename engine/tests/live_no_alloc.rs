//! The recognizer's thread of a live session allocates nothing for audio, once warm.

mod common;
mod counting;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use common::{clip, default_engine, transcripts};
use counting::calls;
use linnet::{
    AudioFormat, Event,
    live::{Backoff, Clock, Connection, Live, LiveConfig, LiveEvent, Opening, Priority, Source, SourceError},
};

/// Plays each of its parts once, and is lost in between. It is opened and closed on the recognizer's thread, whose
/// allocations it counts from one to the other.
struct Parts {
    parts: std::vec::IntoIter<Vec<f32>>,
    counts: Arc<Mutex<Vec<u64>>>,
}

struct Counted {
    before: u64,
    counts: Arc<Mutex<Vec<u64>>>,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let made = calls() - self.before;
        self.counts.lock().unwrap().push(made);
    }
}

impl Source for Parts {
    fn open(&mut self, opening: &Opening) -> Result<Connection, SourceError> {
        let (mut input, connection) = opening.connect(AudioFormat::default(), "parts");
        let part = self.parts.next();
        let clock = opening.clock.clone();
        std::thread::spawn(move || {
            let Some(part) = part else { return input.end() };
            for block in part.chunks(160) {
                let captured = clock.now();
                clock.sleep(Duration::from_millis(10));
                input.push(block, captured);
            }
        });
        let counts = self.counts.clone();
        Ok(connection.keeping(Counted { before: calls(), counts }))
    }
}

#[test]
fn audio_allocates_nothing() {
    let speech: Vec<f32> = transcripts().iter().take(4).flat_map(|(file, _)| clip(file)).collect();
    let long = [speech.clone(), speech.clone(), speech.clone()].concat();
    let counts = Arc::<Mutex<Vec<u64>>>::default();
    let parts = vec![long.clone(), speech, long];
    let source = Parts { parts: parts.into_iter(), counts: counts.clone() };
    let mut config = LiveConfig::default();
    config.clock = Clock::accelerated(20);
    config.priority = Priority::Inherit;
    config.backoff = Backoff { first: Duration::from_millis(100), ..Backoff::default() };
    let mut live = Live::start(&default_engine(), source, config).unwrap();
    let mut finals = 0;
    while !live.is_over() {
        if let Some(LiveEvent::Heard(Event::Final(_))) = live.next_event(Duration::from_secs(10)) {
            finals += 1;
        }
    }
    live.join().unwrap();
    assert!(finals >= 3, "{finals} finals");
    let counts = counts.lock().unwrap();
    // Opening a device takes some, however long it is used afterwards.
    assert_eq!(counts[1], counts[2], "a third of the audio, and all of it: {counts:?}");
    assert!(counts[2] < 200, "{counts:?}");
}
