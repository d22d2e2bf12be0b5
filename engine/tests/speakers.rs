//! Who speaks, with the default model's parts put together and real speech.

mod common;
mod counting;

use std::{sync::OnceLock, time::Duration};

use common::{clip, root};
use counting::allocations;
use linnet::{
    AudioFormat, Engine, Event, Hypothesis, SpeakerConfig, SpeakerTurn, Stream, StreamConfig,
    model::{open::open_checkpoint, pack::pack},
};

/// The committed weights with the committed speaker network.
fn engine() -> Engine {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let build = || {
        let models = root().join("models");
        let mut checkpoint = open_checkpoint(models.join("linnet-en.safetensors")).unwrap();
        checkpoint.attach_endpoint(models.join("linnet-endpoint.safetensors")).unwrap();
        checkpoint.attach_speaker(models.join("linnet-speaker.safetensors")).unwrap();
        Engine::from_bytes(pack(&checkpoint).unwrap()).unwrap()
    };
    ENGINE.get_or_init(build).clone()
}

fn config(most: usize) -> StreamConfig {
    let mut speakers = SpeakerConfig::default();
    speakers.most = most;
    let mut config = StreamConfig::default();
    config.speakers = Some(speakers);
    config
}

const READER: [&str; 2] = ["1272-128104-0000.ogg", "1272-128104-0001.ogg"];
const OTHER: &str = "sample-002910.ogg";

/// A reader, somebody else, and the reader again. Returns the samples and where the parts end.
fn conversation() -> (Vec<f32>, [Duration; 3]) {
    let mut samples = Vec::new();
    let ends = [READER[0], OTHER, READER[1]].map(|file| {
        let part = clip(file);
        let level = (part.iter().map(|x| x * x).sum::<f32>() / part.len() as f32).sqrt();
        samples.extend(part.iter().map(|x| x * 0.04 / level));
        samples.extend([0.0; 4000]);
        Duration::from_micros(samples.len() as u64 * 125 / 2)
    });
    (samples, ends)
}

fn finals(stream: &mut Stream) -> Vec<Hypothesis> {
    let mut finals = Vec::new();
    while let Some(event) = stream.poll() {
        if let Event::Final(hypothesis) = event {
            finals.push(hypothesis.clone());
        }
    }
    finals
}

fn recognize(config: StreamConfig, samples: &[f32], split: usize) -> Vec<Hypothesis> {
    let mut stream = engine().stream(config).unwrap();
    let mut all = Vec::new();
    for part in samples.chunks(split) {
        stream.push_f32(part).unwrap();
        all.extend(finals(&mut stream));
    }
    stream.finish().unwrap();
    all.extend(finals(&mut stream));
    all
}

/// The label that most words between two times have, and its share of them.
fn majority(finals: &[Hypothesis], from: Duration, to: Duration) -> (Option<u8>, f64) {
    let words: Vec<_> =
        finals.iter().flat_map(Hypothesis::words).filter(|word| word.start >= from && word.end <= to).collect();
    assert!(!words.is_empty(), "no words from {from:?} to {to:?}");
    let share = |label| words.iter().filter(|word| word.speaker == label).count() as f64 / words.len() as f64;
    let labels = words.iter().map(|word| word.speaker);
    let most = labels.max_by(|&a, &b| share(a).total_cmp(&share(b))).unwrap();
    (most, share(most))
}

#[test]
fn two_speakers_are_told_apart_and_known_again() {
    let (samples, ends) = conversation();
    let heard = recognize(config(4), &samples, 160);
    let parts = [
        majority(&heard, Duration::ZERO, ends[0]),
        majority(&heard, ends[0], ends[1]),
        majority(&heard, ends[1], ends[2]),
    ];
    println!("{parts:?}");
    assert_eq!(parts[0].0, Some(0), "the first speaker has the first number");
    assert!(parts[1].0.is_some() && parts[1].0 != parts[0].0);
    assert_eq!(parts[2].0, parts[0].0);
    assert!(parts.iter().all(|&(_, share)| share >= 0.75), "{parts:?}");
}

#[test]
fn any_split_of_the_audio_gives_the_same_labels() {
    let (samples, _) = conversation();
    let labels = |finals: &[Hypothesis]| {
        finals.iter().flat_map(Hypothesis::words).map(|word| (word.start, word.speaker)).collect::<Vec<_>>()
    };
    let whole = labels(&recognize(config(4), &samples, samples.len()));
    assert!(whole.iter().all(|(_, speaker)| speaker.is_some()));
    for split in [160, 4097] {
        assert_eq!(labels(&recognize(config(4), &samples, split)), whole, "pushes of {split}");
    }
}

#[test]
fn speakers_are_bounded_and_off_by_default() {
    let (samples, _) = conversation();
    let labels = |config| {
        let finals = recognize(config, &samples, 1600);
        finals.iter().flat_map(Hypothesis::words).map(|word| word.speaker).collect::<Vec<_>>()
    };
    assert!(labels(config(1)).iter().all(|&speaker| speaker == Some(0)));
    assert!(labels(config(2)).iter().all(|&speaker| speaker.is_some_and(|speaker| speaker < 2)));
    assert!(labels(StreamConfig::default()).iter().all(Option::is_none));
}

#[test]
fn labels_settle_within_two_seconds() {
    let (samples, _) = conversation();
    let mut config = config(4);
    // One utterance, so that interims are all there is.
    config.endpointing = None;
    config.utterance_end = None;
    config.max_utterance = Duration::MAX;
    let mut stream = engine().stream(config).unwrap();
    let mut settled: Vec<(Duration, Option<u8>)> = Vec::new();
    let mut check = |hypothesis: &Hypothesis| {
        for (word, (start, speaker)) in hypothesis.words().iter().zip(&settled) {
            assert_eq!((word.start, word.speaker), (*start, *speaker), "{}", hypothesis.word_text(word));
        }
        let safe = hypothesis.words()[..hypothesis.confirmed()].iter();
        let safe = safe.take_while(|word| word.end + Duration::from_secs(2) <= hypothesis.end());
        settled = safe.map(|word| (word.start, word.speaker)).collect();
    };
    let mut interims = 0;
    for part in samples.chunks(160) {
        stream.push_f32(part).unwrap();
        while let Some(event) = stream.poll() {
            if let Event::Interim(hypothesis) = event {
                check(hypothesis);
                interims += 1;
            }
        }
    }
    stream.finish().unwrap();
    finals(&mut stream).iter().for_each(&mut check);
    assert!(interims > 20 && settled.len() > 10, "{interims} interims, {} words", settled.len());
}

#[test]
fn a_gap_keeps_voices_and_a_reset_forgets_them() {
    let (samples, ends) = conversation();
    let mut stream = engine().stream(config(4)).unwrap();
    stream.push_f32(&samples).unwrap();
    stream.gap(Duration::from_secs(5)).unwrap();
    let first = finals(&mut stream);
    let other = majority(&first, ends[0], ends[1]).0;
    stream.push_f32(&clip(OTHER)).unwrap();
    stream.finalize().unwrap();
    let position = stream.position();
    assert_eq!(majority(&finals(&mut stream), ends[2], position).0, other, "known behind a gap");
    stream.reset();
    stream.push_f32(&clip(OTHER)).unwrap();
    stream.finish().unwrap();
    assert_eq!(majority(&finals(&mut stream), Duration::ZERO, stream.position()).0, Some(0), "a new stream");
}

#[test]
fn a_warm_stream_allocates_nothing() {
    let (samples, _) = conversation();
    let mut config = config(4);
    config.max_utterance = Duration::from_secs(4);
    let mut stream = engine().stream(config).unwrap();
    let mut run = |count: &mut u64| {
        let mut labels = 0;
        for part in samples.chunks(160) {
            *count += allocations(|| {
                stream.push_f32(part).unwrap();
                while let Some(event) = stream.poll() {
                    if let Event::Interim(hypothesis) | Event::Final(hypothesis) = event {
                        labels += hypothesis.words().iter().filter(|word| word.speaker.is_some()).count();
                    }
                }
            });
        }
        labels
    };
    let (mut warm_up, mut warm) = (0, 0);
    run(&mut warm_up);
    assert!(run(&mut warm) > 20, "there was something to label");
    assert_eq!(warm, 0);
}

#[test]
fn a_diarizer_tells_turns_in_order() {
    let (samples, ends) = conversation();
    let turns = |split: usize| {
        let mut diarizer = engine().diarizer(AudioFormat::default(), &SpeakerConfig::default()).unwrap().unwrap();
        let mut turns = Vec::new();
        samples.chunks(split).for_each(|part| diarizer.push_f32(part, &mut turns));
        diarizer.finish(&mut turns);
        let first = turns.clone();
        turns.clear();
        // It can be used again.
        diarizer.push_f32(&samples, &mut turns);
        diarizer.finish(&mut turns);
        assert_eq!(turns, first);
        first
    };
    let whole = turns(samples.len());
    assert_eq!(turns(333), whole);
    assert!(whole.windows(2).all(|pair| pair[0].end <= pair[1].start) && whole.len() >= 3, "{whole:?}");
    let time = |from: Duration, to: Duration, speaker| {
        let within = |turn: &SpeakerTurn| turn.end.min(to).saturating_sub(turn.start.max(from));
        whole.iter().filter(|turn| turn.speaker == speaker).map(within).sum::<Duration>()
    };
    assert!(time(Duration::ZERO, ends[0], 0) > Duration::from_secs(3));
    assert!(time(ends[1], ends[2], 0) > Duration::from_secs(2));
    assert!(time(ends[0], ends[1], 0) < Duration::from_secs(1));
}
