//! One recording through one stream, measured.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use cpu_time::ThreadTime;
use indicatif::ProgressBar;
use linnet::{Engine, Event, Stream, StreamConfig, transcript::confidence::Evidence};

use crate::{emission::Emissions, search::Search, set::Clip, source::Source};

/// Samples come as from a microphone, 100 times a second.
const PUSHES_PER_SECOND: u32 = 100;

/// What was heard in a recording, and what it cost.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// The finals, separated by spaces.
    pub text: String,
    /// Their words.
    pub words: Vec<HeardWord>,
    /// Duration of the recording.
    pub audio: Duration,
    /// Processor time of the thread from the first push to the last final. Decoding of the file is not in it.
    pub cpu: Duration,
    /// Wall-clock time of each push that computed at least one chunk, in milliseconds.
    pub steps_ms: Vec<f64>,
    /// Latencies of words and finals in audio time.
    pub emissions: Emissions,
}

/// A word of a final.
#[derive(Clone, Debug)]
pub struct HeardWord {
    pub text: String,
    pub confidence: f32,
    pub evidence: Evidence,
}

/// Hears all recordings of a set, `jobs` at a time; the results are in the order of the clips.
pub fn hear_all(
    engine: &Engine,
    search: &Search,
    clips: &[Clip],
    chunk: Duration,
    jobs: usize,
    bar: &ProgressBar,
) -> Vec<Result<Heard, String>> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(clips.len()));
    let work = || {
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            let Some(clip) = clips.get(i) else { break };
            let heard = hear(engine, search, clip, chunk);
            results.lock().unwrap_or_else(PoisonError::into_inner).push((i, heard));
            bar.inc(1);
        }
    };
    if jobs == 1 {
        work();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..jobs.min(clips.len()) {
                scope.spawn(work);
            }
        });
    }
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|&(i, _)| i);
    results.into_iter().map(|(_, heard)| heard).collect()
}

fn hear(engine: &Engine, search: &Search, clip: &Clip, chunk: Duration) -> Result<Heard, String> {
    let named = |error: linnet::Error| format!("{}: {error}", clip.path.display());
    let mut source = Source::open(&clip.path, None)?;
    let mut samples = Vec::new();
    while let Some(block) = source.next_block()? {
        samples.extend_from_slice(block);
    }
    source.check()?;
    let mut config = StreamConfig::default();
    config.audio = source.format();
    config.chunk = Some(chunk);
    search.apply(&mut config);
    let push = (config.audio.rate_hz / PUSHES_PER_SECOND) as usize * usize::from(config.audio.channels);
    let mut stream = engine.stream(config).map_err(named)?;

    let mut heard = Heard::default();
    let began = ThreadTime::now();
    for block in samples.chunks(push) {
        let (before, step) = (stream.metrics().chunks, Instant::now());
        stream.push_f32(block).map_err(named)?;
        if stream.metrics().chunks > before {
            heard.steps_ms.push(step.elapsed().as_secs_f64() * 1000.0);
        }
        heard.take_events(&mut stream);
    }
    stream.finish().map_err(named)?;
    heard.take_events(&mut stream);
    heard.cpu = began.elapsed();
    heard.audio = stream.metrics().audio;
    Ok(heard)
}

impl Heard {
    fn take_events(&mut self, stream: &mut Stream) {
        let now = stream.position();
        while let Some(event) = stream.poll() {
            match event {
                Event::Interim(hypothesis) => {
                    self.emissions.interim(hypothesis.words().iter().map(|word| hypothesis.word_text(word)), now);
                }
                Event::Final(hypothesis) => {
                    let words = hypothesis.words().iter().map(|word| (hypothesis.word_text(word), word.end));
                    self.emissions.final_(words, now);
                    self.words.extend(hypothesis.words().iter().map(|word| HeardWord {
                        text: hypothesis.word_text(word).to_owned(),
                        confidence: word.confidence,
                        evidence: word.evidence,
                    }));
                    if !self.text.is_empty() && !hypothesis.text().is_empty() {
                        self.text.push(' ');
                    }
                    self.text.push_str(hypothesis.text());
                }
                _ => {}
            }
        }
    }
}
