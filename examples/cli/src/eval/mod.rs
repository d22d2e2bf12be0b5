//! `linnet eval`: accuracy, speed and latency on recordings with transcripts.

mod measure;
mod report;

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    process::ExitCode,
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};
use linnet::{Engine, StreamConfig};

use crate::{args::Eval, failure::Failure, info::Facts, model, search::Search, set};
use measure::{Heard, hear_all};
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
    let mut table = args.out.as_ref().map(Texts::create).transpose()?;
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
                        sums.add(&clip.text, &heard);
                        if let Some(table) = &mut table {
                            table.row(&clip.path.display().to_string(), &clip.text, &heard, chunk)?;
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
    if let Some(table) = table {
        table.finish()?;
    }
    report.peak_resident_mb = report::peak_resident_mb();
    report.write(&mut io::stdout().lock(), args.json)?;
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

/// The table of what was said and heard.
struct Texts {
    name: String,
    out: BufWriter<File>,
}

impl Texts {
    fn create(path: &std::path::PathBuf) -> Result<Self, Failure> {
        let name = path.display().to_string();
        let file = File::create(path).map_err(|error| Failure::on(&name, error))?;
        let mut texts = Self { name, out: BufWriter::new(file) };
        texts.line("file\tref\thyp\tchunk_ms")?;
        Ok(texts)
    }

    fn row(&mut self, file: &str, said: &str, heard: &Heard, chunk: Duration) -> Result<(), Failure> {
        self.line(&format!("{file}\t{said}\t{}\t{}", heard.text, chunk.as_millis()))
    }

    fn line(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.out, "{line}").map_err(|error| Failure::on(&self.name, error))
    }

    fn finish(mut self) -> Result<(), Failure> {
        self.out.flush().map_err(|error| Failure::on(&self.name, error))
    }
}
