//! Endpointing with the default model on real speech: the gate, the ends of utterances, and what a host sets.

mod common;

use std::time::Duration;

use common::{clip, default_engine, read_audio, read_transcripts, root, transcripts, word_errors};
use linnet::{Event, Hypothesis, Policy, Stream, StreamConfig};

const RATE: usize = 16_000;
/// Samples of a push.
const PUSH: usize = 160;

/// What a stream told.
#[derive(Default)]
struct Told {
    starts: Vec<Duration>,
    finals: Vec<Hypothesis>,
    /// Position of the stream when each final came.
    final_at: Vec<Duration>,
    ends: Vec<Duration>,
}

impl Told {
    fn poll(&mut self, stream: &mut Stream) {
        let position = stream.position();
        while let Some(event) = stream.poll() {
            match event {
                Event::SpeechStarted { at } => self.starts.push(at),
                Event::UtteranceEnd { last_word_end } => self.ends.push(last_word_end),
                Event::Final(hypothesis) => {
                    self.finals.push(hypothesis.clone());
                    self.final_at.push(position);
                }
                _ => {}
            }
        }
    }

    fn push(&mut self, stream: &mut Stream, samples: &[f32]) {
        for part in samples.chunks(PUSH) {
            stream.push_f32(part).unwrap();
            self.poll(stream);
        }
    }

    fn text(&self) -> String {
        self.finals.iter().map(Hypothesis::text).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

fn config(gate: bool) -> StreamConfig {
    let mut config = StreamConfig::default();
    config.gate = gate;
    config
}

fn recognize(config: StreamConfig, samples: &[f32]) -> (Told, Stream) {
    let mut stream = default_engine().stream(config).unwrap();
    let mut told = Told::default();
    told.push(&mut stream, samples);
    stream.finish().unwrap();
    told.poll(&mut stream);
    (told, stream)
}

/// Noise of this level (1 is full scale), the same for the same seed.
fn noise(seconds: usize, level: f32, mut seed: u32) -> Vec<f32> {
    (0..seconds * RATE)
        .map(|_| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            level * ((seed >> 8) as f32 / (1 << 23) as f32 - 1.0)
        })
        .collect()
}

/// First sample from which four of five stretches of 30 ms have more than a hundredth of the power of the loudest one, and
/// more than four times that of the background: some recordings hum as loudly as others whisper. A click, such as
/// recordings begin with, is shorter.
fn onset(samples: &[f32]) -> usize {
    let power: Vec<f32> = samples.chunks(480).map(|part| part.iter().map(|x| x * x).sum()).collect();
    let mut sorted = power.clone();
    sorted.sort_unstable_by(f32::total_cmp);
    let (background, loudest) = (sorted[sorted.len() / 10], sorted[sorted.len() - 1]);
    let loud: Vec<bool> = power.iter().map(|&power| power > (0.01 * loudest).max(4.0 * background)).collect();
    let begins = |part: &[bool]| part[0] && part.iter().filter(|&&loud| loud).count() >= 4;
    loud.windows(5).position(begins).unwrap_or(0) * 480
}

#[test]
fn the_default_model_has_an_endpointing_network() {
    assert!(default_engine().info().endpointing);
}

#[test]
fn silence_costs_no_encoder_work_and_makes_no_events() {
    // A noise that is there from the first sample on may be looked at for a moment.
    for (background, most) in [(vec![0.0; 20 * RATE], 0), (noise(20, 1e-4, 1), 0), (noise(20, 3e-3, 2), 25)] {
        let (told, stream) = recognize(config(true), &background);
        assert!(told.finals.is_empty() && told.starts.is_empty(), "{} {:?}", told.text(), told.starts);
        assert!(stream.metrics().frames <= most, "{} encoder frames in silence", stream.metrics().frames);
        assert!(stream.metrics().gated >= Duration::from_millis(20_000 - 80 * most));
    }
    let (_, stream) = recognize(config(false), &noise(5, 1e-4, 1));
    assert!(stream.metrics().frames > 60 && stream.metrics().gated.is_zero(), "without a gate all is encoded");
}

#[test]
fn a_microphone_that_is_unmuted_has_said_nothing() {
    for level in [1e-3, 1e-2] {
        let unmuted = [vec![0.0; 6 * RATE], noise(20, level, 5)].concat();
        let (told, stream) = recognize(config(true), &unmuted);
        assert!(told.finals.is_empty(), "{}", told.text());
        // What comes up may be looked at for a second or two.
        assert!(stream.metrics().frames <= 40, "{} encoder frames at {level}", stream.metrics().frames);
    }
}

/// Word errors with and without the gate, and words said, over clips that are each followed by two seconds of silence.
fn errors_with_and_without_gate(clips: &[(Vec<f32>, String)]) -> (usize, usize, usize) {
    let errors = |gate| {
        let pause = noise(2, 1e-4, 3);
        clips
            .iter()
            .map(|(samples, said)| {
                let (told, _) = recognize(config(gate), &[&samples[..], &pause].concat());
                word_errors(said, &told.text())
            })
            .sum()
    };
    (errors(true), errors(false), clips.iter().map(|(_, said)| said.split_whitespace().count()).sum())
}

/// The speech clips, each eight times. What is hardly understood is heard in one way or another by where the chunks of
/// the encoders fall and by how loud it is; over these it evens out.
fn varied(vary: impl Fn(&[f32], usize) -> Vec<f32>) -> Vec<(Vec<f32>, String)> {
    let clips = transcripts().into_iter().map(|(file, said)| (clip(&file), said));
    clips.flat_map(|(samples, said)| [0, 1, 2, 3, 4, 5, 6, 7].map(|n| (vary(&samples, n), said.clone()))).collect()
}

#[test]
fn the_gate_costs_no_words() {
    let before = noise(1, 1e-4, 4);
    let clips = varied(|samples, n| [&before[..n * RATE / 10], samples].concat());
    let (gated, plain, words) = errors_with_and_without_gate(&clips);
    println!("{words} words: {gated} errors with the gate, {plain} without");
    assert!(gated as f64 <= plain as f64 + 0.03 * words as f64);
    // The same with the speech at the very first sample.
    let loudness = |n: usize| 1.0 - 0.1 * n as f32;
    let cut = varied(|samples, n| samples[onset(samples)..].iter().map(|sample| sample * loudness(n)).collect());
    let (gated, plain, words) = errors_with_and_without_gate(&cut);
    println!("cut to the onset: {gated} errors with the gate, {plain} without");
    assert!(gated as f64 <= plain as f64 + 0.03 * words as f64);
}

/// Audio at the start of a clip that the encoder was never given; `None` when it was given nothing at all.
fn withheld(samples: &[f32]) -> Option<Duration> {
    let mut stream = default_engine().stream(config(true)).unwrap();
    for part in samples.chunks(PUSH) {
        stream.push_f32(part).unwrap();
        if stream.metrics().frames > 0 {
            return Some(stream.metrics().gated);
        }
    }
    stream.finish().unwrap();
    (stream.metrics().frames > 0).then(|| stream.metrics().gated)
}

#[test]
fn no_onset_is_withheld_from_the_encoder() {
    let speech = root().join("engine/tests/data/speech");
    let dev = root().join("../shared/data/dev");
    for folder in [speech, dev.join("librispeech"), dev.join("common_voice"), dev.join("nonnative"), dev.join("kiosk")]
    {
        if !folder.is_dir() {
            println!("skipped: {} is not here", folder.display());
            continue;
        }
        let table = std::fs::read_to_string(folder.join("transcripts.tsv")).unwrap();
        let files: Vec<_> = table.lines().skip(1).filter_map(|row| row.split('\t').next()).collect();
        let (mut cut, mut unheard) = (Vec::new(), Vec::new());
        for &file in &files {
            let samples = read_audio(&folder.join(file));
            let onset = Duration::from_secs_f64(onset(&samples) as f64 / RATE as f64);
            match withheld(&samples) {
                Some(withheld) if withheld > onset => cut.push((file, onset, withheld)),
                Some(_) => {}
                None => unheard.push(file),
            }
        }
        println!("{}: {} clips, cut {cut:?}, unheard {unheard:?}", folder.display(), files.len());
        assert!(cut.is_empty(), "first words cut in {}: {cut:?}", folder.display());
        assert!(unheard.is_empty(), "not heard at all in {}: {unheard:?}", folder.display());
    }
}

#[test]
fn an_utterance_goes_on_over_a_closed_gate() {
    let clips: Vec<_> = transcripts().iter().take(2).map(|(file, _)| clip(file)).collect();
    let mut settings = config(true);
    settings.endpointing = None;
    let samples = [&clips[0][..], &noise(4, 1e-4, 5), &clips[1]].concat();
    let (told, stream) = recognize(settings, &samples);
    assert_eq!((told.finals.len(), told.ends.len()), (1, 1), "{}", told.text());
    assert!(stream.metrics().gated > Duration::from_secs(1));
    let words = told.finals[0].words();
    let second = Duration::from_secs_f64((clips[0].len() as f64 / RATE as f64) + 3.5);
    assert!(words.iter().any(|word| word.start < second - Duration::from_secs(3)));
    assert!(words.iter().any(|word| word.start > second), "words behind the gap keep their times");
    assert!(words.windows(2).all(|pair| pair[0].end <= pair[1].start));
}

#[test]
fn utterances_end_as_the_policy_says_also_in_mid_stream() {
    let speech = clip(&transcripts()[0].0);
    let mut stream = default_engine().stream(config(true)).unwrap();
    let mut policy = Policy::default();
    let mut delays = Vec::new();
    for (endpointing, utterance_end) in [(1200, None), (400, None), (0, Some(900))] {
        policy.endpointing = (endpointing > 0).then(|| Duration::from_millis(endpointing));
        policy.utterance_end = utterance_end.map(Duration::from_millis);
        policy.adaptive = false;
        policy.unfinished = Duration::ZERO;
        stream.set_policy(policy);
        assert_eq!(stream.policy(), policy);
        let mut told = Told::default();
        told.push(&mut stream, &speech);
        let spoken = stream.position();
        told.push(&mut stream, &noise(4, 1e-4, 7));
        let last = told.finals.last().expect("the silence ended an utterance");
        assert_eq!(last.speech_final(), utterance_end.is_none());
        assert_eq!(told.finals.len(), told.ends.len());
        delays.push(told.final_at.last().unwrap().saturating_sub(spoken));
    }
    println!("finals after the end of the clip: {delays:?}");
    assert!(delays[1] + Duration::from_millis(600) < delays[0], "{delays:?}");
}

#[test]
fn starts_are_told_before_the_words() {
    let samples = [&noise(2, 1e-4, 9)[..], &clip(&transcripts()[1].0), &noise(2, 1e-4, 10)].concat();
    let mut stream = default_engine().stream(config(true)).unwrap();
    let (mut started, mut words) = (None, None);
    for part in samples.chunks(PUSH) {
        stream.push_f32(part).unwrap();
        let position = stream.position();
        while let Some(event) = stream.poll() {
            match event {
                Event::SpeechStarted { at } => started = started.or(Some((position, at))),
                Event::Interim(_) | Event::Final(_) => words = words.or(Some(position)),
                _ => {}
            }
        }
    }
    let ((told, at), words) = (started.unwrap(), words.unwrap());
    assert!(at >= Duration::from_millis(1800) && at < told && told <= words, "{at:?} {told:?} {words:?}");
}

#[test]
fn presets_differ_and_are_taken_by_a_configuration() {
    let presets = [Policy::command(), Policy::dictation(), Policy::drive_thru(), Policy::phone(), Policy::default()];
    for (index, preset) in presets.iter().enumerate() {
        assert!(!presets[..index].contains(preset));
        let mut config = StreamConfig::default();
        config.set_policy(*preset);
        assert_eq!(config.policy(), *preset);
        assert!(preset.unfinished > preset.endpointing.unwrap());
    }
}

#[test]
fn words_of_the_dev_sets_with_and_without_the_gate() {
    for set in ["librispeech", "common_voice"] {
        let folder = root().join("../shared/data/dev").join(set);
        if !folder.is_dir() {
            println!("skipped: {} is not here", folder.display());
            continue;
        }
        let clips: Vec<_> = read_transcripts(&folder)
            .into_iter()
            .take(40)
            .map(|(file, said)| (read_audio(&folder.join(file)), said))
            .collect();
        let (gated, plain, words) = errors_with_and_without_gate(&clips);
        println!("{set}: {words} words, {gated} errors with the gate, {plain} without");
        assert!(gated as f64 <= plain as f64 + 0.03 * words as f64, "{set}: the gate loses words");
    }
}

/// Least processing time of a second of audio over several runs, in microseconds.
fn cost_us(audio: &[&[f32]], stream: &mut Stream) -> Vec<f64> {
    let busy = |stream: &Stream| {
        let stages = [linnet::Stage::Features, linnet::Stage::Encoder, linnet::Stage::Decode];
        stages.iter().map(|&stage| stream.metrics().stage(stage).total.as_secs_f64()).sum::<f64>()
    };
    let mut least = vec![f64::INFINITY; audio.len()];
    for _ in 0..5 {
        for (samples, least) in audio.iter().zip(&mut least) {
            stream.reset();
            let before = busy(stream);
            samples.chunks(PUSH).for_each(|part| stream.push_f32(part).unwrap());
            while stream.poll().is_some() {}
            *least = least.min((busy(stream) - before) * 1e6 * RATE as f64 / samples.len() as f64);
        }
    }
    least
}

#[test]
fn silence_is_cheap() {
    let speech: Vec<f32> = transcripts().iter().flat_map(|(file, _)| clip(file)).collect();
    let silence = noise(20, 1e-4, 11);
    let mut stream = default_engine().stream(config(true)).unwrap();
    let cost = cost_us(&[&speech, &silence], &mut stream);
    println!("{:.0} us a second of speech, {:.0} us a second of silence", cost[0], cost[1]);
    // The front end goes on; the encoder and the decoder, which are the most of it, do not.
    assert!(cost[1] < 0.5 * cost[0], "{cost:?}");
}
