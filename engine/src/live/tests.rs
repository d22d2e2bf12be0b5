//! A session on a scripted device, turn by turn on a clock of the test: nothing here depends on time or threads.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use super::{
    mailbox::{Lent, Mailbox},
    metrics::{Published, Taken},
    pipeline::Pipeline,
    worker::{Control, Turn, Worker},
    *,
};
use crate::{AudioFormat, Event, FormatConfig, Hotword, Policy, StreamConfig, audio::AudioFile};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// What the device does when it is opened; after the script it works.
type Script = Arc<Mutex<VecDeque<SourceError>>>;

/// A device in the hands of the test.
struct Scripted {
    formats: VecDeque<AudioFormat>,
    failures: Script,
    input: Arc<Mutex<Option<Input>>>,
}

impl Source for Scripted {
    fn open(&mut self, opening: &Opening) -> Result<Connection, SourceError> {
        if let Some(failure) = self.failures.lock().unwrap().pop_front() {
            return Err(failure);
        }
        let format = self.formats.pop_front().unwrap_or_default();
        let (input, connection) = opening.connect(format, "scripted");
        *self.input.lock().unwrap() = Some(input);
        Ok(connection)
    }
}

#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Final(String),
    Interim(String),
    Gap(Duration, Duration),
    State(State),
    Trouble(SourceError, Duration),
    Dead(Duration),
    Alive(Duration),
    Notice(Notice),
}

struct Session {
    clock: Clock,
    worker: Worker,
    mailbox: Arc<Mailbox>,
    control: Arc<Control>,
    published: Arc<Mutex<Published>>,
    failures: Script,
    input: Arc<Mutex<Option<Input>>>,
    lent: Lent,
    seen: Vec<Seen>,
    over: bool,
    /// Whether the host takes events.
    attentive: bool,
    /// Of the last final, as it is written, and its intent.
    written: String,
    intent: Option<String>,
}

fn engine() -> Engine {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    Engine::open(root.join("models/linnet-en.linnet")).unwrap()
}

fn clip(index: usize) -> Vec<f32> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/speech");
    let table = std::fs::read_to_string(folder.join("transcripts.tsv")).unwrap();
    let name = table.lines().nth(index + 1).unwrap().split('\t').next().unwrap();
    let mut file = AudioFile::open(folder.join(name)).unwrap();
    let mut samples = Vec::new();
    while let Some(block) = file.next_block().unwrap() {
        samples.extend_from_slice(block);
    }
    samples
}

/// What a stream alone makes of audio.
fn alone(samples: &[f32]) -> String {
    let mut stream = engine().stream(StreamConfig::default()).unwrap();
    stream.push_f32(samples).unwrap();
    stream.finish().unwrap();
    let mut finals = Vec::new();
    while let Some(event) = stream.poll() {
        if let Event::Final(hypothesis) = event {
            finals.push(hypothesis.text().to_owned());
        }
    }
    finals.join(" ")
}

fn lost() -> SourceError {
    SourceError::Lost { name: "scripted".into() }
}

impl Session {
    fn new(formats: &[AudioFormat], failures: &[SourceError]) -> Self {
        let clock = Clock::manual();
        let mut config = LiveConfig { clock: clock.clone(), ..LiveConfig::default() };
        config.backoff.jitter = 0.0;
        Self::with(formats, failures, config)
    }

    fn with(formats: &[AudioFormat], failures: &[SourceError], config: LiveConfig) -> Self {
        let failures: Script = Arc::new(Mutex::new(failures.iter().cloned().collect()));
        let input = Arc::<Mutex<Option<Input>>>::default();
        let source =
            Scripted { formats: formats.iter().copied().collect(), failures: failures.clone(), input: input.clone() };
        let clock = config.clock.clone();
        let mailbox = Arc::new(Mailbox::new(config.backlog));
        let control = Arc::<Control>::default();
        let published = Arc::new(Mutex::new(Published::new()));
        let worker =
            Worker::new(&engine(), Box::new(source), config, mailbox.clone(), control.clone(), published.clone())
                .unwrap();
        let lent = Lent::default();
        Self {
            clock,
            worker,
            mailbox,
            control,
            published,
            failures,
            input,
            lent,
            seen: Vec::new(),
            over: false,
            attentive: true,
            written: String::new(),
            intent: None,
        }
    }

    fn remote(&self) -> Remote {
        let taken = Arc::new(Mutex::new(Taken::new()));
        Remote { control: self.control.clone(), published: self.published.clone(), taken }
    }

    /// Lets the worker do all it can at this moment; returns how long it would sleep.
    fn settle(&mut self) -> Duration {
        loop {
            let turn = self.worker.turn().unwrap();
            self.take_events();
            match turn {
                Turn::Busy => {}
                Turn::Wait(time) => return time,
                Turn::Done => {
                    self.over = true;
                    return Duration::MAX;
                }
            }
        }
    }

    fn take_events(&mut self) {
        while self.attentive
            && let Some((event, _)) = self.mailbox.take(&mut self.lent, Duration::ZERO)
        {
            let seen = match event {
                LiveEvent::Heard(Event::Final(words)) => {
                    self.written = words.written().map_or(String::new(), |written| written.text().to_owned());
                    self.intent = words.interpretation().and_then(|meaning| meaning.intent.clone());
                    Seen::Final(words.text().to_owned())
                }
                LiveEvent::Heard(Event::Interim(words)) => Seen::Interim(words.text().to_owned()),
                LiveEvent::Heard(Event::Gap { at, length }) => Seen::Gap(at, length),
                LiveEvent::Heard(_) => continue,
                LiveEvent::State(state) => Seen::State(state),
                LiveEvent::Trouble { error, retry_in } => Seen::Trouble(error.clone(), retry_in),
                LiveEvent::DeadMicrophone { since } => Seen::Dead(since),
                LiveEvent::MicrophoneAlive { at } => Seen::Alive(at),
                LiveEvent::Notice(notice) => Seen::Notice(notice.clone()),
            };
            self.seen.push(seen);
        }
    }

    fn push(&self, samples: &[f32], captured: Duration) {
        self.input.lock().unwrap().as_mut().expect("the device is open").push(samples, captured);
    }

    /// Plays 16 kHz mono in blocks of 10 ms by the clock, with the worker awake all the time.
    fn play(&mut self, samples: &[f32]) {
        for block in samples.chunks(160) {
            let captured = self.clock.now();
            self.clock.advance(Duration::from_secs_f64(block.len() as f64 / 16_000.0));
            self.push(block, captured);
            self.settle();
        }
    }

    /// Lets time pass as the worker asks for.
    fn pass(&mut self, time: Duration) {
        let end = self.clock.now() + time;
        while !self.over {
            let wait = self.settle().min(end.saturating_sub(self.clock.now()));
            if wait.is_zero() {
                break;
            }
            self.clock.advance(wait);
        }
    }

    /// The device breaks off.
    fn lose(&mut self) {
        drop(self.input.lock().unwrap().take());
        self.settle();
    }

    fn finals(&self) -> String {
        let text = |seen: &Seen| if let Seen::Final(text) = seen { Some(text.clone()) } else { None };
        self.seen.iter().filter_map(text).collect::<Vec<_>>().join(" ")
    }

    fn states(&self) -> Vec<State> {
        self.seen.iter().filter_map(|seen| if let Seen::State(state) = seen { Some(*state) } else { None }).collect()
    }

    fn gaps(&self) -> Vec<(Duration, Duration)> {
        let gap = |seen: &Seen| if let Seen::Gap(at, length) = seen { Some((*at, *length)) } else { None };
        self.seen.iter().filter_map(gap).collect()
    }

    fn counters(&mut self) -> Counters {
        self.clock.advance(S);
        self.settle();
        self.published.lock().unwrap().counters
    }
}

#[test]
fn speech_becomes_the_words_of_a_stream_alone() {
    let samples = clip(0);
    let mut session = Session::new(&[], &[]);
    session.settle();
    assert_eq!(session.control.state(), State::Connecting, "no audio yet");
    session.play(&samples);
    assert_eq!(session.control.state(), State::Live);
    session.input.lock().unwrap().take().unwrap().end();
    session.settle();
    assert!(session.over);
    assert_eq!(session.finals(), alone(&samples));
    assert_eq!(session.states(), [State::Live, State::Stopped]);
    assert!(session.seen.iter().any(|seen| matches!(seen, Seen::Interim(_))));
    assert!(session.gaps().is_empty());
}

#[test]
fn attempts_wait_longer_and_longer_until_the_device_is_there() {
    let busy = SourceError::Busy { name: "scripted".into() };
    let mut session = Session::new(&[], &[&busy; 7].map(Clone::clone));
    let mut waits = Vec::new();
    for _ in 0..7 {
        session.settle();
        let Some(Seen::Trouble(error, wait)) = session.seen.pop() else { panic!("{:?}", session.seen) };
        assert_eq!(error, busy);
        waits.push(wait.as_secs());
        session.pass(wait - 20 * MS);
        assert!(session.seen.is_empty(), "not before its time");
        session.pass(21 * MS);
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(session.control.state(), State::Connecting, "a device that never was there is no reconnection");
    session.play(&clip(0)[..16_000]);
    assert_eq!(session.control.state(), State::Live);
    assert_eq!(session.counters().failed_attempts, 7);
}

#[test]
fn an_outage_is_a_gap_on_one_timeline() {
    let (first, second) = (clip(0), clip(1));
    let mut session = Session::new(&[], &[]);
    session.settle();
    session.play(&first);
    let length = |samples: &[f32]| Duration::from_secs_f64(samples.len() as f64 / 16_000.0);
    let in_stream = length(&first);
    // Two attempts fail: after 1 s and, 2 s later, again; the third, after 4 s more, succeeds.
    session.failures.lock().unwrap().extend([lost(), lost()]);
    session.lose();
    assert_eq!(session.finals(), alone(&first), "what was said is final at once");
    assert_eq!(session.control.state(), State::Reconnecting);
    session.pass(7 * S + 5 * MS);
    // The device takes half a second to deliver.
    session.clock.advance(500 * MS);
    session.play(&second);
    session.control.stop.store(true, std::sync::atomic::Ordering::Release);
    session.settle();
    assert_eq!(session.finals(), format!("{} {}", alone(&first), alone(&second)));
    let gaps = session.gaps();
    assert_eq!(gaps.len(), 1);
    assert!(gaps[0].0.abs_diff(in_stream) < MS);
    assert!(gaps[0].1.abs_diff(7505 * MS) < MS, "{gaps:?}");
    assert_eq!(session.states(), [State::Live, State::Reconnecting, State::Live, State::Stopped]);
    let troubles = session.seen.iter().filter(|seen| matches!(seen, Seen::Trouble(..))).count();
    assert_eq!(troubles, 3, "the loss and two attempts");
    let counters = session.published.lock().unwrap().counters;
    assert_eq!((counters.losses, counters.failed_attempts, counters.recoveries, counters.gaps), (1, 2, 1, 1));
    // Audio came 500 ms and one block after the attempt.
    assert!(counters.last_recovery.abs_diff(7515 * MS) < 2 * MS, "{counters:?}");
}

#[test]
fn the_next_attempt_comes_when_its_wait_is_over() {
    let mut session = Session::new(&[], &[]);
    session.settle();
    session.play(&[0.01; 1600]);
    session.lose();
    let lost_at = session.clock.now();
    while session.input.lock().unwrap().is_none() {
        let wait = session.settle();
        session.clock.advance(wait);
    }
    let late = session.clock.now() - lost_at - S;
    assert!(late <= 100 * MS, "{late:?} late");
}

#[test]
fn buffered_audio_is_recognized_before_the_outage() {
    let samples = clip(0);
    let mut session = Session::new(&[], &[]);
    session.settle();
    // The worker sleeps while all of it comes in and the device goes.
    for (index, block) in samples[..64_000].chunks(160).enumerate() {
        session.push(block, index as u32 * 10 * MS);
    }
    session.clock.advance(4 * S);
    session.lose();
    assert!(session.gaps().is_empty());
    assert!(!session.finals().is_empty());
    assert_eq!(session.states(), [State::Live, State::Reconnecting]);
}

#[test]
fn a_device_that_comes_back_with_another_format_goes_on() {
    let samples = clip(2);
    let wide = AudioFormat { rate_hz: 48_000, channels: 8 };
    let mut session = Session::new(&[AudioFormat::default(), wide], &[]);
    session.settle();
    session.play(&samples);
    session.lose();
    session.pass(S + 20 * MS);
    let before = session.clock.now();
    // Linear interpolation to 48 kHz, on all of eight channels.
    for (index, block) in samples.windows(2).collect::<Vec<_>>().chunks(160).enumerate() {
        let fast = block.iter().flat_map(|pair| (0..3).map(|step| pair[0] + (pair[1] - pair[0]) * step as f32 / 3.0));
        let wide: Vec<f32> = fast.flat_map(|sample| [sample; 8]).collect();
        session.push(&wide, before + index as u32 * 10 * MS);
        session.clock.advance(10 * MS);
        session.settle();
    }
    let once = session.finals();
    session.lose();
    let twice = session.finals();
    let again = twice.strip_prefix(&once).unwrap_or(&twice).trim();
    let expected = alone(&samples);
    assert!(!expected.is_empty());
    assert!(twice.starts_with(&expected), "{twice}");
    assert!(!again.is_empty() || twice.len() > expected.len(), "the other format is heard too");
}

#[test]
fn suspend_and_glitches_are_gaps_where_the_time_stamps_jump() {
    let mut session = Session::new(&[], &[]);
    session.settle();
    let noise: Vec<f32> = (0..16_000).map(|i| (i % 7) as f32 * 1e-4).collect();
    session.play(&noise);
    // A late callback is not a loss.
    session.clock.advance(300 * MS);
    session.play(&noise);
    assert!(session.gaps().is_empty());
    // Suspended for ten seconds.
    session.clock.advance(10 * S);
    session.play(&noise);
    assert_eq!(session.gaps(), [(2 * S, 10 * S)]);
    // The device tells of a glitch.
    session.input.lock().unwrap().as_ref().unwrap().status().glitch();
    session.clock.advance(50 * MS);
    session.play(&noise);
    assert_eq!(session.gaps()[1], (13 * S, 50 * MS));
    let counters = session.counters();
    assert_eq!((counters.gaps, counters.gap_time), (2, 10_050 * MS));
}

#[test]
fn a_full_buffer_is_a_gap_of_what_was_lost() {
    let mut session = Session::new(&[], &[]);
    session.settle();
    // Ten seconds come while the worker is kept from running; the buffer holds five (in a power of two of blocks).
    let noise: Vec<f32> = (0..160_000).map(|i| (i % 7) as f32 * 1e-4).collect();
    for (index, block) in noise.chunks(160).enumerate() {
        session.push(block, index as u32 * 10 * MS);
    }
    session.clock.advance(10 * S);
    session.settle();
    session.play(&noise[..1600]);
    let gaps = session.gaps();
    assert_eq!(gaps.len(), 1);
    assert_eq!(gaps[0].0 + gaps[0].1, 10 * S, "the timeline is that of the device");
    assert!(gaps[0].0 >= 5 * S);
    let counters = session.counters();
    assert_eq!(counters.dropped, gaps[0].1);
}

#[test]
fn chunks_grow_while_behind_and_shrink_again() {
    let clock = Clock::manual();
    let mailbox = Arc::new(Mailbox::new(256));
    let engine = engine();
    let chunks: Vec<_> = engine.info().chunks().collect();
    let mut pipeline = Pipeline::new(&engine, StreamConfig::default(), None, mailbox, clock.clone()).unwrap();
    let wanted = pipeline.chunk();
    // Much audio at once is no reason yet.
    pipeline.keep_up(2 * S).unwrap();
    pipeline.keep_up(Duration::ZERO).unwrap();
    clock.advance(S);
    pipeline.keep_up(2 * S).unwrap();
    assert_eq!(pipeline.chunk(), wanted);
    for _ in 0..100 {
        clock.advance(50 * MS);
        pipeline.keep_up(2 * S).unwrap();
    }
    assert_eq!(Some(&pipeline.chunk()), chunks.last());
    let longer = pipeline.counters.longer_chunks as usize;
    assert_eq!(chunks[chunks.len() - 1 - longer], wanted);
    // As long as some audio waits they stay.
    for _ in 0..1000 {
        pipeline.hear(&[0.0; 160], clock.now()).unwrap();
        pipeline.keep_up(100 * MS).unwrap();
    }
    assert_eq!(Some(&pipeline.chunk()), chunks.last());
    let mut seconds = 0;
    while pipeline.chunk() > wanted {
        (0..100).for_each(|_| pipeline.hear(&[0.0; 160], clock.now()).unwrap());
        pipeline.keep_up(Duration::ZERO).unwrap();
        seconds += 1;
        assert!(seconds < 60);
    }
    assert!(seconds >= 2 * longer, "{seconds} s: not at once");
}

#[test]
fn a_slow_recognizer_says_no_word_twice() {
    let samples: Vec<f32> = (0..4).flat_map(clip).collect();
    let mut session = Session::new(&[], &[]);
    session.settle();
    for (index, block) in samples[..64_000].chunks(160).enumerate() {
        session.push(block, index as u32 * 10 * MS);
    }
    session.clock.advance(4 * S);
    // A turn takes as long as a quarter of its audio.
    while session.worker.turn().unwrap() == Turn::Busy {
        session.clock.advance(80 * MS);
    }
    session.play(&samples[64_000..]);
    assert!(session.counters().longer_chunks > 0);
    assert!(session.gaps().is_empty());
    session.control.stop.store(true, std::sync::atomic::Ordering::Release);
    session.settle();
    // As many words as a stream with equal chunks hears, give or take what other chunks hear differently.
    let (heard, expected) = (session.finals().split(' ').count(), alone(&samples).split(' ').count());
    assert!(heard.abs_diff(expected) <= expected / 4 + 1, "{heard} words, {expected} expected");
}

#[test]
fn dead_microphones_are_told() {
    let mut session = Session::new(&[], &[]);
    session.settle();
    let noise: Vec<f32> = (0..16_000).map(|i| (i % 7) as f32 * 1e-4).collect();
    session.play(&noise);
    session.play(&vec![0.25; 16_000 * 5]);
    let dead: Vec<_> = session.seen.iter().filter(|seen| matches!(seen, Seen::Dead(_))).cloned().collect();
    assert_eq!(dead, [Seen::Dead(S)]);
    session.play(&noise);
    assert!(session.seen.contains(&Seen::Alive(6 * S)));
}

#[test]
fn a_stalled_device_is_opened_again() {
    let mut session = Session::new(&[], &[]);
    session.settle();
    session.play(&[0.01; 1600]);
    session.pass(2900 * MS);
    assert_eq!(session.control.state(), State::Live);
    session.pass(200 * MS);
    assert_eq!(session.control.state(), State::Reconnecting);
    assert!(session.seen.contains(&Seen::Trouble(SourceError::Stalled { name: "scripted".into() }, S)));
    assert!(session.input.lock().unwrap().as_ref().unwrap().is_closed(), "the old one is let go of");
    session.pass(S);
    session.play(&[0.01; 1600]);
    assert_eq!(session.control.state(), State::Live);
}

#[test]
fn a_new_default_device_is_a_notice() {
    let mut session = Session::new(&[], &[]);
    session.settle();
    session.input.lock().unwrap().as_ref().unwrap().status().rerouted();
    session.play(&[0.01; 1600]);
    assert!(session.seen.contains(&Seen::Notice(Notice::Rerouted { device: "scripted".into() })));
    assert_eq!(session.control.state(), State::Live);
}

#[test]
fn a_stuck_host_gets_all_finals_the_newest_interim_and_a_gap() {
    let clock = Clock::manual();
    let config = LiveConfig { clock: clock.clone(), backlog: 6, ..LiveConfig::default() };
    let mut session = Session::with(&[], &[], config);
    session.settle();
    let mut samples = clip(1);
    samples.extend([0.0; 32_000]);
    session.play(&samples);
    let first = session.finals();
    assert!(!first.is_empty());
    session.seen.clear();
    session.attentive = false;
    for _ in 0..12 {
        session.play(&samples);
    }
    session.attentive = true;
    session.take_events();
    let finals: Vec<_> = session.seen.iter().filter(|seen| matches!(seen, Seen::Final(_))).collect();
    assert!(!finals.is_empty() && finals.len() <= 6, "{finals:?}");
    assert!(session.seen.iter().filter(|seen| matches!(seen, Seen::Interim(_))).count() <= 1);
    // What was buffered follows, then what could not be is told.
    session.settle();
    session.play(&samples);
    let gaps = session.gaps();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let played = Duration::from_secs_f64(samples.len() as f64 * 14.0 / 16_000.0);
    assert!(gaps[0].0 + gaps[0].1 <= played);
    assert_eq!(session.control.state(), State::Live);
}

#[test]
fn finalize_is_answered_with_a_final_between_pauses() {
    let samples = clip(0);
    let mut session = Session::new(&[], &[]);
    session.settle();
    session.play(&samples);
    session.control.finalize.store(true, std::sync::atomic::Ordering::Release);
    session.settle();
    assert_eq!(session.finals(), alone(&samples));
    assert_eq!(session.control.state(), State::Live);
}

#[test]
fn changes_of_the_host_are_made_before_the_audio_that_comes_next() {
    let samples = clip(0);
    let silence = vec![0.0; 48_000];
    let mut session = Session::new(&[], &[]);
    session.settle();
    let remote = session.remote();
    remote.set_policy(Policy { endpointing: None, ..Policy::default() });
    let format = FormatConfig { punctuate: true, ..FormatConfig::default() };
    remote.set_format(format);
    remote.set_hotwords(Some(engine().hotwords(&[Hotword::new("quilter")])));
    session.play(&samples);
    session.play(&silence);
    assert_eq!(session.finals(), "", "no pause ends the utterance");
    remote.set_policy(Policy::default());
    session.play(&silence[..16_000]);
    assert!(!session.finals().is_empty(), "the running utterance is ended by the pause before the change");
    assert!(session.written.ends_with('.'), "{:?}", session.written);

    let said = session.seen.len();
    remote.set_grammar(Some(engine().grammar("#JSGF V1.0;\npublic <any> = <GARBAGE>;").unwrap()));
    remote.set_grammar(None);
    remote.set_grammar(Some(engine().grammar("#JSGF V1.0;\npublic <all> = <GARBAGE>;").unwrap()));
    session.play(&samples);
    remote.finalize();
    session.settle();
    assert!(session.seen.len() > said);
    assert_eq!(session.intent.as_deref(), Some("all"), "the newest change counts");
    assert!(remote.metrics().recognizer.audio > S && remote.recognizer_metrics().audio > S);
}

#[test]
fn the_recording_is_what_was_heard() {
    use crate::audio::ring::{Item, ring};
    let (producer, mut consumer) = ring(160, 1024);
    let config = LiveConfig { clock: Clock::manual(), recording: Some(producer), ..LiveConfig::default() };
    let mut session = Session::with(&[], &[], config);
    session.settle();
    let noise: Vec<f32> = (0..16_000).map(|i| (i % 7) as f32 * 1e-4).collect();
    session.play(&noise);
    session.clock.advance(2 * S);
    session.play(&noise);
    session.control.stop.store(true, std::sync::atomic::Ordering::Release);
    session.settle();
    let (mut heard, mut missing) = (Vec::new(), 0);
    while let Some(item) = consumer.pop(&mut heard) {
        if let Item::Gap { position, length } = item {
            assert_eq!(position, 16_000);
            missing += length;
        }
    }
    assert!(consumer.is_finished());
    assert_eq!(missing, 32_000);
    assert_eq!(heard, [noise.clone(), noise].concat());
}

#[test]
fn the_drift_of_the_device_is_measured() {
    let mut session = Session::new(&[], &[]);
    session.settle();
    let block: Vec<f32> = (0..160).map(|i| (i % 7) as f32 * 1e-4).collect();
    // A device that is 0.1 % slow: its 10 ms last 10.01.
    for index in 0..7000u32 {
        session.push(&block, index * Duration::from_micros(10_010));
        session.clock.advance(Duration::from_micros(10_010));
        session.settle();
    }
    let drift = session.counters().drift_ppm.unwrap();
    assert!((drift + 1000.0).abs() < 5.0, "{drift}");
    assert!(session.gaps().is_empty());
}

#[test]
fn a_thread_runs_the_same_session() {
    let samples = clip(0);
    let source = Playback::new(samples.clone(), AudioFormat::default(), "clip");
    let config = LiveConfig { clock: Clock::accelerated(20), priority: Priority::Inherit, ..LiveConfig::default() };
    let mut live = Live::start(&engine(), source, config).unwrap();
    let (mut finals, mut last) = (Vec::new(), None);
    while !live.is_over() {
        match live.next_event(Duration::from_secs(10)) {
            Some(LiveEvent::Heard(Event::Final(words))) => finals.push(words.text().to_owned()),
            Some(LiveEvent::State(state)) => last = Some(state),
            Some(_) => {}
            None => assert!(live.is_over(), "no event in ten seconds"),
        }
    }
    assert_eq!((last, live.state()), (Some(State::Stopped), State::Stopped));
    let metrics = live.metrics();
    if metrics.counters.longer_chunks == 0 && metrics.counters.gaps == 0 {
        assert_eq!(finals.join(" "), alone(&samples));
    }
    assert!(metrics.queue.count > 100 && metrics.delivery.count > 0 && metrics.capture_to_event.count > 0);
    live.join().unwrap();
}

#[test]
fn dropping_a_session_ends_its_thread() {
    struct Endless;
    impl Source for Endless {
        fn open(&mut self, opening: &Opening) -> Result<Connection, SourceError> {
            Ok(opening.connect(AudioFormat::default(), "endless").1)
        }
    }
    let live = Live::start(&engine(), Endless, LiveConfig::default()).unwrap();
    assert_eq!(live.state(), State::Connecting);
    drop(live);
}
