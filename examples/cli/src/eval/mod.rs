//! `linnet eval`: accuracy, speed and latency on recordings with transcripts.

mod measure;
mod reliability;
mod report;

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use linnet::{Engine, StreamConfig, transcript::confidence::Evidence};

use crate::{args::Eval, failure::Failure, info::Facts, model, search::Search, set, wer};
use measure::{Heard, HeardWord, hear_all};
use report::{Report, Row, Sums};

/// Runs the command.
///
/// # Errors
/// When a set or the model can't be opened, or the output not be written. Recordings that can't be read are reported
/// and left out, and make the exit code 1.
pub fn run(args: &Eval) -> Result<ExitCode, Failure> {
    let mut sets = Vec::new();
    for folder in &args.folders {
        let mut clips = set::read(folder).map_err(Failure::Work)?;
        clips.truncate(args.limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)));
        sets.push((folder.display().to_string(), clips));
    }
    let engine = model::open_for(&args.model)?;
    let search = Search::read(&args.search, &engine)?;
    let chunks = chunks(&engine, args)?;
    let mut table = args.out.as_ref().map(|path| Table::create(path, TEXTS)).transpose()?;
    let mut words = args.words.as_ref().map(|path| Table::create(path, WORDS)).transpose()?;
    let bar = progress(sets.iter().map(|(_, clips)| clips.len()).sum::<usize>() * chunks.len());

    let mut report =
        Report { model: Facts::of(&engine), results: Vec::new(), totals: Vec::new(), peak_resident_mb: None };
    let mut failed = 0;
    for &chunk in &chunks {
        let mut total = Sums::default();
        for (name, clips) in &sets {
            let mut sums = Sums::default();
            for (clip, heard) in clips.iter().zip(hear_all(&engine, &search, clips, chunk, args.jobs.into(), &bar)) {
                match heard {
                    Ok(heard) => {
                        let right = right_words(&clip.text, &heard);
                        sums.add(&clip.text, &heard, &right);
                        let file = clip.path.display().to_string();
                        if let Some(table) = &mut table {
                            table.line(&format!("{file}\t{}\t{}\t{}", clip.text, heard.text, chunk.as_millis()))?;
                        }
                        if let Some(words) = &mut words {
                            for (word, right) in heard.words.iter().zip(right) {
                                words.word(&file, word, right, chunk)?;
                            }
                        }
                    }
                    Err(why) => {
                        failed += 1;
                        bar.suspend(|| eprintln!("linnet: {why}"));
                    }
                }
            }
            total.append(&sums);
            report.results.push(Row::new(name, chunk, sums));
        }
        report.totals.push(Row::new("total", chunk, total));
    }
    bar.finish_and_clear();
    for table in [table, words].into_iter().flatten() {
        table.finish()?;
    }
    report.peak_resident_mb = report::peak_resident_mb();
    report.write(&mut io::stdout().lock(), args.json, args.reliability)?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The chunks to measure, as the model rounds them, each once.
fn chunks(engine: &Engine, args: &Eval) -> Result<Vec<Duration>, Failure> {
    let asked: Vec<Option<Duration>> = if args.all_chunks {
        engine.info().chunks().map(Some).collect()
    } else if args.chunk_ms.is_empty() {
        vec![None]
    } else {
        args.chunk_ms.iter().copied().map(Some).collect()
    };
    let mut chunks = Vec::new();
    for chunk in asked {
        let mut config = StreamConfig::default();
        config.chunk = chunk;
        let chunk = engine.stream(config).map_err(|error| Failure::Work(error.to_string()))?.chunk();
        if !chunks.contains(&chunk) {
            chunks.push(chunk);
        }
    }
    Ok(chunks)
}

fn progress(clips: usize) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{bar:32} {pos}/{len} recordings, {eta} left").expect("the template is valid");
    ProgressBar::new(clips as u64).with_style(style)
}

/// Which words of the finals are right.
fn right_words(said: &str, heard: &Heard) -> Vec<bool> {
    let words: Vec<String> = heard.words.iter().map(|word| word.text.clone()).collect();
    wer::right_words(said, &words)
}

const TEXTS: &str = "file\tref\thyp\tchunk_ms";
const WORDS: &str = "file\tchunk_ms\tword\tright\tconfidence\tleast\tmean_log\ttokens\tbefore\tagreement";

/// A file of tab-separated values.
struct Table {
    name: String,
    out: BufWriter<File>,
}

impl Table {
    fn create(path: &std::path::Path, header: &str) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = File::create(path).map_err(|error| Failure::on(&name, error))?;
        let mut table = Self { name, out: BufWriter::new(file) };
        table.line(header)?;
        Ok(table)
    }

    fn word(&mut self, file: &str, word: &HeardWord, right: bool, chunk: Duration) -> Result<(), Failure> {
        let HeardWord { text, confidence, evidence } = word;
        let (chunk_ms, right) = (chunk.as_millis(), u8::from(right));
        let Evidence { least, mean_log, tokens, before, agreement } = evidence;
        self.line(&format!(
            "{file}\t{chunk_ms}\t{text}\t{right}\t{confidence}\t{least}\t{mean_log}\t{tokens}\t{before}\t{agreement}"
        ))
    }

    fn line(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}").map_err(|error| Failure::on(&self.name, error))
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| Failure::on(&self.name, error))
    }
}
