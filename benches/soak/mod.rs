//! Hours of audio through the whole live path, with a device that fails, a host that gets stuck, and an account of
//! every word.
//!
//! The session records what it hears ([`LiveConfig::recording`]). Each stretch of that between two gaps goes through a
//! stream of its own: what the session said must be exactly that, word by word, and at the same times to an encoder
//! frame. So nothing is lost, doubled or moved, whatever the device and the host did.
//!
//! The longest chunk is used: a shorter one gets longer where the recognizer is behind, and other chunks may hear other
//! words.

mod device;

use std::{collections::VecDeque, fmt, time::Duration};

use linnet::{
    AudioFormat, Engine, Event, Hypothesis, Stream, StreamConfig,
    audio::ring::{Consumer, Item, ring},
    live::{Backoff, Clock, Live, LiveConfig, LiveEvent, LiveMetrics, Priority},
};
use peak_alloc::PeakAlloc;

pub use device::FaultCounts;

use device::{Faulty, Shared};

/// The allocator of programs that soak: `#[global_allocator] static HEAP: PeakAlloc = linnet_benches::soak::HEAP;`
pub const HEAP: PeakAlloc = PeakAlloc;

/// How to soak.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Time on the session's clock.
    pub duration: Duration,
    /// How many times faster than time that clock runs.
    pub speed: u32,
    /// Of the random faults.
    pub seed: u64,
    /// Whether device and host fail at all.
    pub faults: bool,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Audio that the recognizer heard.
    pub heard: Duration,
    /// Stretches of audio between gaps.
    pub stretches: u64,
    /// Words of all finals.
    pub words: u64,
    /// Interims taken.
    pub interims: u64,
    /// Times that the host did not take events for a while.
    pub stuck: u64,
    /// What the device did.
    pub faults: FaultCounts,
    /// MB on the heap once warm and at the end, less the rings of open devices. Zero where [`HEAP`] does not count.
    pub heap_mb: (f64, f64),
    /// Resident memory in MB once warm and at the end, where the system tells: with the rings, and what the allocator
    /// keeps.
    pub resident_mb: Option<(f64, f64)>,
    /// What the session measured.
    pub metrics: LiveMetrics,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counters = &self.metrics.counters;
        writeln!(
            f,
            "audio heard             {:.2} h in {} stretches",
            self.heard.as_secs_f64() / 3600.0,
            self.stretches
        )?;
        writeln!(f, "words                   {}, all as in the batch transcript", self.words)?;
        writeln!(f, "interims taken          {}", self.interims)?;
        writeln!(f, "device                  {}", self.faults)?;
        writeln!(f, "host stuck              {} times", self.stuck)?;
        writeln!(
            f,
            "losses, recoveries      {}, {} (longest {:.1} s)",
            counters.losses,
            counters.recoveries,
            counters.longest_recovery.as_secs_f64()
        )?;
        writeln!(
            f,
            "gaps                    {} ({:.0} s), of these for want of room {:.0} s",
            counters.gaps,
            counters.gap_time.as_secs_f64(),
            counters.dropped.as_secs_f64()
        )?;
        writeln!(f, "steps over their budget {}", counters.overruns)?;
        writeln!(f, "heap without rings      {:.1} MB warm, {:.1} MB at the end", self.heap_mb.0, self.heap_mb.1)?;
        match self.resident_mb {
            Some((warm, end)) => write!(f, "resident memory         {warm:.1} MB warm, {end:.1} MB at the end"),
            None => write!(f, "resident memory         not told by this system"),
        }
    }
}

/// A word as it is compared.
#[derive(Clone, Debug, PartialEq)]
struct Said {
    text: String,
    start_ms: u128,
    end_ms: u128,
}

/// Longest stretch of audio; the device breaks off at last after this.
const LONGEST_STRETCH: Duration = Duration::from_secs(300);

/// Runs a session to its end and compares.
///
/// # Errors
/// What went wrong: a word that is missing, doubled or moved, time that went back, memory that grew.
pub fn run(engine: &Engine, audio: &[f32], options: Options) -> Result<Report, String> {
    let clock = Clock::accelerated(options.speed);
    let end = clock.now() + options.duration;
    let shared = Shared::default();
    let device = Faulty::new(audio.to_vec(), options.seed, options.faults, end, shared.clone());
    let (recording, recorded) = ring(AudioFormat::default().rate_hz as usize / 100, 1 << 15);
    let mut config = LiveConfig::default();
    config.stream = stream_config();
    // A power of two of the ring's blocks: what the device says of the ring's size is then exact.
    config.buffer = Duration::from_millis(20_480);
    config.backoff = Backoff { longest: Duration::from_secs(8), jitter: 0.5, ..Backoff::default() };
    config.recording = Some(recording);
    config.clock = clock.clone();
    // A real-time thread on an accelerated clock would keep everything else from running.
    config.priority = Priority::Inherit;
    let mut live = Live::start(engine, device, config).map_err(|error| error.to_string())?;
    let mut account = Account::new(engine, recorded, shared.clone());
    let mut random = fastrand::Rng::with_seed(options.seed ^ 0x5eed);
    let mut stuck = 0;
    while !live.is_over() {
        for _ in 0..64 {
            match live.next_event(Duration::from_millis(20)) {
                Some(event) => account.take(event)?,
                None => break,
            }
        }
        account.check()?;
        if options.faults && random.f64() < 0.01 {
            stuck += 1;
            let longest: u64 = if random.u32(..20) == 0 { 60_000 } else { 3_000 };
            clock.sleep(Duration::from_millis(random.u64(..longest)));
        }
    }
    let metrics = live.metrics();
    live.join().map_err(|error| error.to_string())?;
    account.finish()?;
    account.memory.check()?;
    Ok(Report {
        heard: account.heard,
        stretches: account.stretches,
        words: account.words,
        interims: account.interims,
        stuck,
        faults: shared.counts(),
        heap_mb: (account.memory.warm.heap_mb, account.memory.last.heap_mb),
        resident_mb: account.memory.warm.resident_mb.zip(account.memory.last.resident_mb),
        metrics,
    })
}

fn stream_config() -> StreamConfig {
    let mut config = StreamConfig::default();
    config.chunk = Some(Duration::MAX);
    config
}

/// Compares what was said with what was to be said.
struct Account<'a> {
    engine: &'a Engine,
    recorded: Consumer,
    /// The stretch that is being heard.
    stretch: Vec<f32>,
    /// Position of its first sample.
    begins: u64,
    block: Vec<f32>,
    said: VecDeque<Said>,
    expected: VecDeque<Said>,
    heard: Duration,
    stretches: u64,
    words: u64,
    interims: u64,
    sequence: u64,
    /// End of the last final or gap.
    position: Duration,
    memory: Memory,
}

/// An encoder frame, and what rounding adds.
const FRAME_MS: u128 = 81;

/// Stretches after which memory is warm.
const WARM_AFTER: u64 = 5;

/// How much the heap may grow after that, in MB: devices of eight channels need larger buffers than those of one.
const GROWTH_MB: f64 = 1.0;

#[derive(Clone, Copy, Default)]
struct Reading {
    heap_mb: f64,
    resident_mb: Option<f64>,
}

/// Memory between stretches, while the session goes on.
struct Memory {
    shared: Shared,
    warm: Reading,
    last: Reading,
}

impl Memory {
    fn read(&mut self, stretches: u64) {
        // A device that is just opened or closed is in one of the two figures only.
        let heap = || HEAP.current_usage() as f64 - self.shared.ring_bytes() as f64;
        let mut sorted = std::array::from_fn::<f64, 9, _>(|_| {
            std::thread::sleep(Duration::from_millis(1));
            heap()
        });
        sorted.sort_by(f64::total_cmp);
        self.last =
            Reading { heap_mb: sorted[4].max(0.0) / 1e6, resident_mb: crate::resident_mb().map(|(_, own)| own) };
        if stretches <= WARM_AFTER {
            self.warm = self.last;
        }
    }

    fn check(&self) -> Result<(), String> {
        let (warm, last) = (self.warm.heap_mb, self.last.heap_mb);
        if last > warm + GROWTH_MB {
            return Err(format!("the heap without rings grew from {warm:.2} to {last:.2} MB"));
        }
        Ok(())
    }
}

impl<'a> Account<'a> {
    fn new(engine: &'a Engine, recorded: Consumer, shared: Shared) -> Self {
        let room = AudioFormat::default().rate_hz as usize * (LONGEST_STRETCH.as_secs() as usize + 120);
        // Written to, so that its memory is there from the start.
        let mut stretch = vec![1.0; room];
        stretch.clear();
        Self {
            engine,
            recorded,
            stretch,
            begins: 0,
            block: Vec::with_capacity(1024),
            said: VecDeque::new(),
            expected: VecDeque::new(),
            heard: Duration::ZERO,
            stretches: 0,
            words: 0,
            interims: 0,
            sequence: 0,
            position: Duration::ZERO,
            memory: Memory { shared, warm: Reading::default(), last: Reading::default() },
        }
    }

    fn take(&mut self, event: LiveEvent<'_>) -> Result<(), String> {
        let LiveEvent::Heard(event) = event else { return Ok(()) };
        match event {
            Event::Interim(hypothesis) => {
                self.interims += 1;
                self.in_order(hypothesis)
            }
            Event::Final(hypothesis) => {
                self.in_order(hypothesis)?;
                self.position = hypothesis.end();
                self.words += hypothesis.words().len() as u64;
                self.said.extend(words(hypothesis, Duration::ZERO));
                Ok(())
            }
            Event::Gap { at, length } if at < self.position => {
                Err(format!("a gap of {length:?} at {at:?}, behind {:?}", self.position))
            }
            Event::Gap { at, length } => {
                self.position = at + length;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Numbers rise, and utterances don't overlap.
    fn in_order(&mut self, hypothesis: &Hypothesis) -> Result<(), String> {
        let (sequence, start) = (hypothesis.sequence(), hypothesis.start());
        if sequence <= self.sequence || start < self.position {
            return Err(format!(
                "number {sequence} from {start:?} came after number {} to {:?}",
                self.sequence, self.position
            ));
        }
        self.sequence = sequence;
        Ok(())
    }

    /// Goes on with the recording, and compares the words that both sides have.
    fn check(&mut self) -> Result<(), String> {
        loop {
            self.block.clear();
            match self.recorded.pop(&mut self.block) {
                Some(Item::Samples { .. }) => self.stretch.extend_from_slice(&self.block),
                Some(Item::Gap { position, length }) => {
                    self.close_stretch()?;
                    self.memory.read(self.stretches);
                    self.begins = position + length;
                }
                None => break,
            }
        }
        while let (Some(said), Some(expected)) = (self.said.front(), self.expected.front()) {
            let near = |a: u128, b: u128| a.abs_diff(b) <= FRAME_MS;
            if said.text != expected.text
                || !near(said.start_ms, expected.start_ms)
                || !near(said.end_ms, expected.end_ms)
            {
                return Err(format!("the session said {said:?}, the batch transcript {expected:?}"));
            }
            self.said.pop_front();
            self.expected.pop_front();
        }
        Ok(())
    }

    fn close_stretch(&mut self) -> Result<(), String> {
        let rate = f64::from(AudioFormat::default().rate_hz);
        self.heard += Duration::from_secs_f64(self.stretch.len() as f64 / rate);
        self.stretches += 1;
        let begins = Duration::from_secs_f64(self.begins as f64 / rate);
        let describe = |error: linnet::Error| error.to_string();
        let mut stream = self.engine.stream(stream_config()).map_err(describe)?;
        // An utterance ends at a push; the device's are of about 10 ms too.
        for block in self.stretch.chunks(AudioFormat::default().rate_hz as usize / 100) {
            stream.push_f32(block).map_err(describe)?;
            expect(&mut stream, begins, &mut self.expected);
        }
        stream.finish().map_err(describe)?;
        expect(&mut stream, begins, &mut self.expected);
        self.stretch.clear();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), String> {
        self.check()?;
        self.close_stretch()?;
        self.check()?;
        match (self.said.front(), self.expected.front()) {
            (None, None) => Ok(()),
            (said, expected) => Err(format!("at the end the session said {said:?}, the batch transcript {expected:?}")),
        }
    }
}

fn expect(stream: &mut Stream, begins: Duration, expected: &mut VecDeque<Said>) {
    while let Some(event) = stream.poll() {
        if let Event::Final(hypothesis) = event {
            expected.extend(words(hypothesis, begins));
        }
    }
}

fn words(hypothesis: &Hypothesis, offset: Duration) -> impl Iterator<Item = Said> + '_ {
    hypothesis.words().iter().map(move |word| Said {
        text: hypothesis.word_text(word).to_owned(),
        start_ms: (word.start + offset).as_millis(),
        end_ms: (word.end + offset).as_millis(),
    })
}
