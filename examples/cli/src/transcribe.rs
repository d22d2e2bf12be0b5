//! `linnet transcribe`: recordings or a live pipe to text, JSON or subtitles.

use std::{
    io::{self, IsTerminal, Stdout},
    path::Path,
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use linnet::{Engine, Event, Stream, StreamConfig};

use crate::{
    args::{Format, Transcribe},
    emission::Emissions,
    failure::Failure,
    model,
    output::{Output, Utterance},
    search::Search,
    source::{Source, is_stdin},
    stats::Quantiles,
};

/// Pushes per second of audio under `--realtime`, as a microphone's.
const BLOCKS_PER_SECOND: u32 = 100;

/// Runs the command.
///
/// # Errors
/// When the arguments don't fit together, the model can't be opened, or the output not be written. A file that can't
/// be transcribed is reported, the others go on, and the exit code is 1.
pub fn run(args: &Transcribe) -> Result<ExitCode, Failure> {
    check(args)?;
    let engine = model::open_for(&args.model)?;
    if args.speakers.is_some() && !engine.info().speakers {
        return Err(Failure::Usage(
            "this model has no speaker network; give it one with linnet convert --speaker, or leave out --speakers"
                .into(),
        ));
    }
    let search = Search::read(&args.search, &engine)?;
    let stdout = io::stdout();
    let columns = (args.interim && stdout.is_terminal()).then(|| usize::from(console::Term::stdout().size().1));
    let output = Output::new(stdout, args.format, args.files.len() > 1, columns)?;
    let mut session = Session { args, engine, search, output, emissions: Emissions::default() };
    let mut all_well = true;
    for file in &args.files {
        match session.transcribe(file) {
            Ok(()) => {}
            Err(Failure::Work(why)) => {
                session.output.clear_line()?;
                eprintln!("linnet: {why}");
                all_well = false;
            }
            Err(other) => return Err(other),
        }
    }
    if args.realtime {
        report("interim", session.emissions.words);
        report("final", session.emissions.finals);
    }
    Ok(if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What clap can't say about the arguments.
fn check(args: &Transcribe) -> Result<(), Failure> {
    let subtitles = matches!(args.format, Format::Srt | Format::Vtt);
    if subtitles && args.files.len() > 1 {
        return Err(Failure::Usage("a subtitle document holds one recording; run linnet once for each file".into()));
    }
    if subtitles && args.interim {
        return Err(Failure::Usage(
            "subtitles have no interims; leave out --interim, or use --format text or json".into(),
        ));
    }
    if args.files.iter().filter(|file| is_stdin(file)).count() > 1 {
        return Err(Failure::Usage("standard input (-) can be read only once".into()));
    }
    Ok(())
}

struct Session<'a> {
    args: &'a Transcribe,
    engine: Engine,
    search: Search,
    output: Output<Stdout>,
    emissions: Emissions,
}

impl Session<'_> {
    /// Pushes a file through a stream of its own. What was heard before a damaged place is written all the same.
    fn transcribe(&mut self, path: &Path) -> Result<(), Failure> {
        let named = |error: linnet::Error| Failure::on(path.display(), error);
        let mut source = Source::open(path, self.args.raw).map_err(Failure::Work)?;
        let mut config = StreamConfig::default();
        config.audio = source.format();
        config.chunk = self.args.chunk_ms;
        config.format = self.args.writing.format();
        config.speakers = self.args.speaker_config();
        config.interim_results = self.args.interim || self.args.realtime;
        self.search.apply(&mut config);
        let block = (config.audio.rate_hz / BLOCKS_PER_SECOND) as usize * usize::from(config.audio.channels);
        let mut stream = self.engine.stream(config).map_err(named)?;

        self.output.start_file(&path.display().to_string());
        let bar = self.progress(&source);
        let clock = self.args.realtime.then(Instant::now);
        let mut read = Ok(());
        loop {
            let samples = match source.next_block() {
                Ok(Some(samples)) => samples,
                Ok(None) => break,
                Err(why) => {
                    read = Err(Failure::Work(why));
                    break;
                }
            };
            let size = if clock.is_some() { block } else { samples.len().max(1) };
            for samples in samples.chunks(size) {
                if let Some(began) = clock {
                    wait_until(began + stream.position() + Duration::from_secs(1) / BLOCKS_PER_SECOND);
                }
                stream.push_f32(samples).map_err(named)?;
                self.show(&mut stream, clock, &bar)?;
            }
        }
        stream.finish().map_err(named)?;
        self.show(&mut stream, clock, &bar)?;
        self.output.clear_line()?;
        bar.finish_and_clear();
        read.and_then(|()| source.check().map_err(Failure::Work))
    }

    /// Writes what the stream has to tell.
    fn show(&mut self, stream: &mut Stream, clock: Option<Instant>, bar: &ProgressBar) -> Result<(), Failure> {
        bar.set_position(stream.position().as_millis() as u64);
        while let Some(event) = stream.poll() {
            let now = clock.map(|began| began.elapsed());
            match event {
                Event::Interim(hypothesis) => {
                    if let Some(now) = now {
                        let words = hypothesis.words().iter().map(|word| hypothesis.word_text(word));
                        self.emissions.interim(words, now);
                    }
                    if self.args.interim {
                        self.output.interim(&Utterance::from(hypothesis))?;
                    }
                }
                Event::Final(hypothesis) => {
                    if let Some(now) = now {
                        let words = hypothesis.words().iter().map(|word| (hypothesis.word_text(word), word.end));
                        self.emissions.final_(words, now);
                    }
                    bar.suspend(|| self.output.final_(&Utterance::from(hypothesis)))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// A bar on standard error if that is a terminal and no line of interims is in its way.
    fn progress(&self, source: &Source) -> ProgressBar {
        if !io::stderr().is_terminal() || self.args.interim {
            return ProgressBar::hidden();
        }
        let template = match source.duration() {
            Some(_) => "{wide_bar} {percent:>3} %, {eta} left",
            None => "{spinner} {elapsed}",
        };
        let style = ProgressStyle::with_template(template).expect("the templates are valid");
        ProgressBar::new(source.duration().map_or(0, |duration| duration.as_millis() as u64)).with_style(style)
    }
}

fn wait_until(moment: Instant) {
    thread::sleep(moment.saturating_duration_since(Instant::now()));
}

/// Latencies of one kind, on standard error.
fn report(kind: &str, values_ms: Vec<f64>) {
    match Quantiles::of(values_ms) {
        Some(q) => eprintln!(
            "{kind} latency after the end of a word: p50 {:.0} ms, p95 {:.0} ms ({} values)",
            q.p50, q.p95, q.count
        ),
        None => eprintln!("{kind} latency after the end of a word: no words"),
    }
}
