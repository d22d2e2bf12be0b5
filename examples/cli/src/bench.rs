//! `linnet bench`: how long after a word's end it is shown.

use std::{
    collections::HashMap,
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::Duration,
};

use linnet::{
    AudioFormat, Engine, Event, Hypothesis,
    live::{Clock, Live, LiveConfig, LiveEvent, LiveMetrics, Playback},
};
use serde::Serialize;

use crate::{
    args::Bench,
    emission::Emissions,
    failure::Failure,
    model,
    source::Source,
    stats::{Quantiles, live_table},
};

/// How much faster than time audio plays without `--realtime`.
const QUICK: u32 = 10;

/// Silence behind a recording on top of what ends an utterance.
const SILENCE: Duration = Duration::from_millis(500);

/// How far the recognizer's estimate of a word's end may be from the reference's: farther away it is another word.
const NEAR: Duration = Duration::from_secs(1);

/// A word and where it ends in its recording.
#[derive(Clone, Debug, PartialEq)]
struct Timed {
    word: String,
    end: Duration,
}

/// Latencies in milliseconds.
#[derive(Debug, Default)]
struct Latencies {
    first_words: Vec<f64>,
    words: Vec<f64>,
    finals: Vec<f64>,
    /// Reference words, and those of them that were recognized.
    expected: usize,
    matched: usize,
}

#[derive(Serialize)]
struct Document {
    realtime: bool,
    word_ends: &'static str,
    words: usize,
    matched: usize,
    first_word_ms: Option<Quantiles>,
    interim_ms: Option<Quantiles>,
    final_ms: Option<Quantiles>,
}

/// Runs the command.
///
/// # Errors
/// When a file can't be read, the model can't be opened, or the output not be written.
pub fn run(args: &Bench) -> Result<ExitCode, Failure> {
    let engine = model::open_for(&args.model)?;
    let alignments = args.alignments.as_deref().map(read_alignments).transpose()?;
    let mut latencies = Latencies::default();
    let mut last = None;
    for path in &args.files {
        let (samples, format) = decode(path)?;
        let references = match &alignments {
            Some(alignments) => of_file(alignments, path)
                .ok_or_else(|| Failure::on(path.display(), "the alignments have no words of it"))?
                .to_vec(),
            None => transcribe(&engine, &samples, format).map_err(|error| Failure::on(path.display(), error))?,
        };
        last = Some(play(args, &engine, path, samples, format, &references, &mut latencies)?);
    }
    let word_ends = if alignments.is_some() { "alignments" } else { "batch transcript" };
    let mut out = io::stdout().lock();
    if args.json {
        let document = Document {
            realtime: args.realtime,
            word_ends,
            words: latencies.expected,
            matched: latencies.matched,
            first_word_ms: Quantiles::of(latencies.first_words),
            interim_ms: Quantiles::of(latencies.words),
            final_ms: Quantiles::of(latencies.finals),
        };
        serde_json::to_writer_pretty(&mut out, &document).map_err(io::Error::from)?;
        writeln!(out)?;
    } else {
        writeln!(out, "ms after the end of a word, which the {word_ends} tells:")?;
        for (name, values) in
            [("first word", latencies.first_words), ("interim", latencies.words), ("final", latencies.finals)]
        {
            match Quantiles::of(values) {
                Some(q) => writeln!(
                    out,
                    "{name:<11} p50 {:>5.0}  p95 {:>5.0}  p99 {:>5.0}  ({} values)",
                    q.p50, q.p95, q.p99, q.count
                )?,
                None => writeln!(out, "{name:<11} no words")?,
            }
        }
        writeln!(out, "{} of {} words recognized", latencies.matched, latencies.expected)?;
        if let Some(metrics) = last {
            writeln!(out, "\nsession of the last recording:\n{}", live_table(&metrics).trim_end())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Plays a recording through a session.
fn play(
    args: &Bench,
    engine: &Engine,
    path: &Path,
    mut samples: Vec<f32>,
    format: AudioFormat,
    references: &[Timed],
    latencies: &mut Latencies,
) -> Result<LiveMetrics, Failure> {
    let mut config = LiveConfig::default();
    config.stream.chunk = args.chunk_ms;
    if args.endpointing_ms.is_some() {
        config.stream.endpointing = args.endpointing_ms;
    }
    let silence = SILENCE + 2 * config.stream.endpointing.unwrap_or_default();
    let frames = (silence.as_secs_f64() * f64::from(format.rate_hz)) as usize;
    samples.resize(samples.len() + frames * usize::from(format.channels), 0.0);
    let clock = Clock::accelerated(if args.realtime { 1 } else { QUICK });
    config.clock = clock.clone();
    let source = Playback::new(samples, format, path.display().to_string());
    let failed = |error: linnet::live::LiveError| Failure::on(path.display(), error);
    let mut live = Live::start(engine, source, config).map_err(failed)?;
    // On the session's clock; where the audio began on it is known at the end.
    let mut shown = Emissions::default();
    let mut utterances: Vec<Vec<Timed>> = Vec::new();
    while !live.is_over() {
        match live.next_event(Duration::from_millis(100)) {
            Some(LiveEvent::Heard(Event::Interim(hypothesis))) => {
                shown.interim(hypothesis.words().iter().map(|word| hypothesis.word_text(word)), clock.now());
            }
            Some(LiveEvent::Heard(Event::Final(hypothesis))) if !hypothesis.words().is_empty() => {
                let texts = || hypothesis.words().iter().map(|word| hypothesis.word_text(word));
                shown.final_(texts().map(|text| (text, Duration::ZERO)), clock.now());
                utterances.push(timed(hypothesis));
            }
            Some(LiveEvent::Notice(notice @ linnet::live::Notice::OrdinaryPriority { .. })) => {
                eprintln!("linnet: {notice}");
            }
            _ => {}
        }
    }
    let metrics = live.metrics();
    live.join().map_err(failed)?;
    let began_ms = metrics.began.unwrap_or_default().as_secs_f64() * 1000.0;
    latencies.add(&utterances, &shown.words, &shown.finals, began_ms, references);
    Ok(metrics)
}

impl Latencies {
    /// Takes the words of a recording: when each was shown and each utterance was final, in ms on the session's clock.
    fn add(
        &mut self,
        utterances: &[Vec<Timed>],
        shown_ms: &[f64],
        finals_ms: &[f64],
        began_ms: f64,
        references: &[Timed],
    ) {
        let heard: Vec<&Timed> = utterances.iter().flatten().collect();
        let same = |i: usize, j: usize| {
            let (heard, expected): (&Timed, _) = (heard[i], &references[j]);
            heard.word == expected.word && heard.end.abs_diff(expected.end) <= NEAR
        };
        let pairs: HashMap<usize, usize> = common(heard.len(), references.len(), same).into_iter().collect();
        let end_ms = |index: usize| {
            pairs.get(&index).map(|&reference| began_ms + references[reference].end.as_secs_f64() * 1000.0)
        };
        self.expected += references.len();
        self.matched += pairs.len();
        let mut first = 0;
        for (utterance, &final_ms) in utterances.iter().zip(finals_ms) {
            for (index, shown) in shown_ms.iter().enumerate().skip(first).take(utterance.len()) {
                let Some(end) = end_ms(index) else { continue };
                self.words.push(shown - end);
                if index == first {
                    self.first_words.push(shown - end);
                }
            }
            first += utterance.len();
            self.finals.extend(end_ms(first - 1).map(|end| final_ms - end));
        }
    }
}

/// Index pairs of a longest common subsequence of two sequences with these lengths.
fn common(a: usize, b: usize, same: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let width = b + 1;
    let mut longest = vec![0u32; (a + 1) * width];
    for i in (0..a).rev() {
        for j in (0..b).rev() {
            longest[i * width + j] = if same(i, j) {
                longest[(i + 1) * width + j + 1] + 1
            } else {
                longest[(i + 1) * width + j].max(longest[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < a && j < b {
        if same(i, j) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[(i + 1) * width + j] >= longest[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

fn decode(path: &Path) -> Result<(Vec<f32>, AudioFormat), Failure> {
    let mut source = Source::open(path, None).map_err(Failure::Work)?;
    let mut samples = Vec::new();
    while let Some(block) = source.next_block().map_err(Failure::Work)? {
        samples.extend_from_slice(block);
    }
    Ok((samples, source.format()))
}

fn transcribe(engine: &Engine, samples: &[f32], format: AudioFormat) -> Result<Vec<Timed>, linnet::Error> {
    let hypothesis = engine.transcribe(samples, format)?;
    Ok(timed(&hypothesis))
}

fn timed(hypothesis: &Hypothesis) -> Vec<Timed> {
    let timed = |word: &linnet::Word| Timed { word: hypothesis.word_text(word).to_owned(), end: word.end };
    hypothesis.words().iter().map(timed).collect()
}

/// The words of each file of a table.
fn read_alignments(path: &Path) -> Result<HashMap<String, Vec<Timed>>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::on(path.display(), error))?;
    parse_alignments(&text).map_err(|why| Failure::on(path.display(), why))
}

fn parse_alignments(text: &str) -> Result<HashMap<String, Vec<Timed>>, String> {
    let mut rows = text.lines();
    let header: Vec<_> = rows.next().unwrap_or("").split('\t').collect();
    let column = |name: &str| {
        header.iter().position(|&column| column == name).ok_or_else(|| format!("the header has no column {name:?}"))
    };
    let (file, word, end) = (column("file")?, column("word")?, column("end")?);
    let mut words = HashMap::<String, Vec<Timed>>::new();
    for (index, row) in rows.enumerate().filter(|(_, row)| !row.is_empty()) {
        let fields: Vec<_> = row.split('\t').collect();
        let field = |column: usize| {
            fields.get(column).copied().ok_or_else(|| format!("line {}: a column is missing", index + 2))
        };
        let end = field(end)?
            .parse()
            .ok()
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(|| format!("line {}: {:?} is no time in seconds", index + 2, fields[end]))?;
        let reference = Timed { word: field(word)?.to_lowercase(), end };
        words.entry(field(file)?.to_owned()).or_default().push(reference);
    }
    Ok(words)
}

/// By the path as it was given, or else by the name alone.
fn of_file<'a>(alignments: &'a HashMap<String, Vec<Timed>>, path: &Path) -> Option<&'a [Timed]> {
    let name = path.file_name()?.to_str()?;
    alignments.get(path.to_str()?).or_else(|| alignments.get(name)).map(Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_paired_in_order() {
        let pairs = |a: &str, b: &str| common(a.len(), b.len(), |i, j| a.as_bytes()[i] == b.as_bytes()[j]);
        assert_eq!(pairs("axbc", "abyc"), [(0, 0), (2, 1), (3, 3)]);
        assert_eq!(pairs("", "a"), []);
        assert_eq!(pairs("aa", "a"), [(0, 0)]);
    }

    #[test]
    fn latencies_count_from_the_end_of_paired_words() {
        let timed = |word: &str, ms| Timed { word: word.into(), end: Duration::from_millis(ms) };
        let references = [timed("one", 500), timed("two", 900), timed("three", 2000)];
        let utterances = [vec![timed("one", 560), timed("too", 960)], vec![timed("three", 1900)]];
        let mut latencies = Latencies::default();
        latencies.add(&utterances, &[1700.0, 2000.0, 3150.0], &[2500.0, 3800.0], 1000.0, &references);
        assert_eq!(latencies.words, [200.0, 150.0]);
        assert_eq!(latencies.first_words, [200.0, 150.0]);
        assert_eq!(latencies.finals, [800.0], "the last word of the first utterance is none of the reference's");
        assert_eq!((latencies.matched, latencies.expected), (2, 3));
        let elsewhere = [vec![timed("one", 5000)]];
        latencies.add(&elsewhere, &[6000.0], &[6000.0], 1000.0, &references);
        assert_eq!(latencies.matched, 2, "a word far away is another one");
    }

    #[test]
    fn alignments_are_read() {
        let words = parse_alignments("word\tend\tfile\nOne\t0.5\ta.wav\ntwo\t1\ta.wav\n\n").unwrap();
        assert_eq!(words["a.wav"][0], Timed { word: "one".into(), end: Duration::from_millis(500) });
        assert_eq!(of_file(&words, Path::new("clips/a.wav")).unwrap().len(), 2);
        for bad in ["", "file\tword\n", "file\tword\tend\na\tb\tsoon\n", "file\tword\tend\na\n"] {
            assert!(parse_alignments(bad).is_err(), "{bad:?}");
        }
    }
}
