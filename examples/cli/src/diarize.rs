//! `linnet diarize`: who speaks when, without words.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use linnet::{Engine, SpeakerConfig, SpeakerTurn};

use crate::{args::Diarize, failure::Failure, model, source::Source};

/// Runs the command.
///
/// # Errors
/// When the model can't be opened or has no speaker network, a recording can't be read, or the output not be written.
pub fn run(args: &Diarize) -> Result<ExitCode, Failure> {
    let engine = model::open_for(&args.model)?;
    let mut config = SpeakerConfig::default();
    config.most = args.most.into();
    config.threshold = args.threshold;
    for file in &args.files {
        diarize(&engine, &config, file, args)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn diarize(engine: &Engine, config: &SpeakerConfig, path: &Path, args: &Diarize) -> Result<(), Failure> {
    let mut source = Source::open(path, args.raw).map_err(Failure::Work)?;
    let diarizer = engine.diarizer(source.format(), config).map_err(|error| Failure::on(path.display(), error))?;
    let Some(mut diarizer) = diarizer else {
        return Err(Failure::Usage(
            "this model has no speaker network; give it one with linnet convert --speaker".into(),
        ));
    };
    let name = path.file_stem().map_or_else(|| "stdin".into(), |name| name.to_string_lossy().replace(' ', "_"));
    let mut turns = Vec::new();
    while let Some(samples) = source.next_block().map_err(Failure::Work)? {
        diarizer.push_f32(samples, &mut turns);
        write(&name, &mut turns)?;
    }
    diarizer.finish(&mut turns);
    write(&name, &mut turns)?;
    source.check().map_err(Failure::Work)
}

/// Lines of NIST's Rich Transcription Time Marked format.
fn write(name: &str, turns: &mut Vec<SpeakerTurn>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for SpeakerTurn { start, end, speaker } in turns.drain(..) {
        let (start, length) = (start.as_secs_f64(), (end - start).as_secs_f64());
        writeln!(out, "SPEAKER {name} 1 {start:.3} {length:.3} <NA> <NA> {speaker} <NA> <NA>")?;
    }
    out.flush()
}
