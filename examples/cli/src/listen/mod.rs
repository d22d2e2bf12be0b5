//! `linnet listen`: a microphone to text, as it is said.

mod save;
mod screen;

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use linnet::{
    Event,
    live::{Live, LiveConfig, LiveEvent, Microphone, State},
};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::{args::Listen, failure::Failure, model, stats::live_table};
use save::Recording;
use screen::Screen;

/// How often the level meter moves.
const FRAME: Duration = Duration::from_millis(50);

/// Runs the command.
///
/// # Errors
/// When the model or the microphone can't be opened, or the output not be written.
pub fn run(args: &Listen) -> Result<ExitCode, Failure> {
    let engine = model::open_for(&args.model)?;
    let source = match &args.device {
        Some(name) => Microphone::named(name),
        None => Microphone::default_input(),
    };
    let mut config = LiveConfig::default();
    config.stream.chunk = args.chunk_ms;
    let recording = match &args.save {
        Some(path) => {
            let (recording, producer) = Recording::start(path)?;
            config.recording = Some(producer);
            Some(recording)
        }
        None => None,
    };
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register(signal, interrupted.clone())
            .map_err(|error| Failure::on("the signals that end it can't be caught", error))?;
    }
    let mut live = Live::start(&engine, source, config).map_err(|error| Failure::Work(error.to_string()))?;
    let heard = listen(args, &mut live, &interrupted);
    let metrics = live.metrics();
    live.join().map_err(|error| Failure::Work(error.to_string()))?;
    if let Some(recording) = recording {
        recording.finish()?;
    }
    heard?;
    if args.stats {
        eprint!("{}", live_table(&metrics));
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows events until the session is over.
fn listen(args: &Listen, live: &mut Live, interrupted: &AtomicBool) -> Result<(), Failure> {
    let stdout = io::stdout();
    let columns = stdout.is_terminal().then(|| usize::from(console::Term::stdout().size().1));
    let mut screen = Screen::new(stdout, args.json, columns);
    let end = args.for_seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut was_live = false;
    while !live.is_over() {
        if interrupted.load(Ordering::Relaxed) || end.is_some_and(|end| Instant::now() >= end) {
            live.stop();
        }
        match live.next_event(FRAME) {
            Some(LiveEvent::Trouble { error, .. }) if !was_live && !args.wait => {
                return Err(Failure::Work(error.to_string()));
            }
            Some(event) => {
                was_live |= matches!(event, LiveEvent::State(State::Live) | LiveEvent::Heard(Event::Interim(_)));
                screen.show(event)?;
            }
            None => {}
        }
        screen.refresh(live)?;
    }
    screen.clear()?;
    Ok(())
}
