//! `linnet convert`: plain weights to the packed file that ships.

use std::{
    fs,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use linnet::{
    LanguageModel,
    model::{file::ModelFile, open::open_checkpoint, pack::pack},
};

use crate::{args::Convert, failure::Failure};

/// Runs the command.
///
/// # Errors
/// When the input is no checkpoint and no .nemo file that can be run, or the output can't be written.
pub fn run(args: &Convert) -> Result<ExitCode, Failure> {
    let parts = Parts {
        endpoint: args.endpoint.as_deref(),
        speaker: args.speaker.as_deref(),
        language_model: args.language_model.as_deref(),
        language_network: args.language_network.as_deref(),
        confidence: args.confidence.as_deref(),
    };
    convert(&args.input, parts, &args.output)?;
    Ok(ExitCode::SUCCESS)
}

/// Files with what is made apart from the acoustic model.
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts<'a> {
    /// Endpointing network.
    pub endpoint: Option<&'a Path>,
    /// Speaker network.
    pub speaker: Option<&'a Path>,
    /// N-gram model.
    pub language_model: Option<&'a Path>,
    /// Language network.
    pub language_network: Option<&'a Path>,
    /// Calibration of word confidences.
    pub confidence: Option<&'a Path>,
}

/// Packs the checkpoint `input`, with the parts that are given, as `output` and says what it is.
///
/// # Errors
/// As [`run`].
pub fn convert(input: &Path, parts: Parts<'_>, output: &Path) -> Result<(), Failure> {
    let mut checkpoint = open_checkpoint(input).map_err(|error| Failure::on(input.display(), error))?;
    if let Some(endpoint) = parts.endpoint {
        checkpoint.attach_endpoint(endpoint).map_err(|error| Failure::on(endpoint.display(), error))?;
    }
    if let Some(speaker) = parts.speaker {
        checkpoint.attach_speaker(speaker).map_err(|error| Failure::on(speaker.display(), error))?;
    }
    if let Some(path) = parts.language_model {
        let source = fs::read(path).map_err(|error| Failure::on(path.display(), error))?;
        let model =
            LanguageModel::read(&source, &checkpoint.tokens).map_err(|error| Failure::on(path.display(), error))?;
        checkpoint.attach_ngrams(model.to_ngrams()).map_err(|error| Failure::on(path.display(), error))?;
    }
    if let Some(network) = parts.language_network {
        checkpoint.attach_language_network(network).map_err(|error| Failure::on(network.display(), error))?;
    }
    if let Some(confidence) = parts.confidence {
        checkpoint.attach_confidence(confidence).map_err(|error| Failure::on(confidence.display(), error))?;
    }
    let bytes = pack(&checkpoint).map_err(|error| Failure::on(input.display(), error))?;
    // What is written must be what can be opened.
    let model = ModelFile::from_bytes(&bytes).map_err(|error| Failure::on(input.display(), error))?;
    replace(output, &bytes).map_err(|error| Failure::on(output.display(), error))?;
    writeln!(
        io::stdout(),
        "{}: {}, {:.2} M parameters, {} tokens, {:.2} MB in int8",
        output.display(),
        model.config().name,
        model.parameters() as f64 / 1e6,
        model.config().vocab_size,
        bytes.len() as f64 / 1e6,
    )?;
    Ok(())
}

/// Writes beside the file and renames, so that an interruption leaves the old file and one that is open stays as it is.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(".partial");
    let partial = path.with_file_name(name);
    let written = fs::write(&partial, bytes).and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // The error that matters is the first one.
        let _ = fs::remove_file(&partial);
    }
    written
}
