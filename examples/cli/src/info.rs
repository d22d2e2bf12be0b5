//! `linnet info`: what a model is and what it runs on.

use std::{
    io::{self, Write},
    process::ExitCode,
    time::Duration,
};

use linnet::{Engine, nn::Isa};
use serde::Serialize;

use crate::{args::Info, failure::Failure, model};

/// Facts about a model as they are written.
#[derive(Debug, Serialize)]
pub struct Facts {
    name: String,
    language: String,
    parameters: u64,
    size_bytes: usize,
    vocab_size: usize,
    frame_ms: f64,
    look_aheads: Vec<usize>,
    chunks_ms: Vec<f64>,
    default_chunk_ms: f64,
    left_context_ms: f64,
    endpointing: bool,
    speakers: bool,
    ngrams: usize,
    language_network: bool,
    instruction_set: Option<String>,
    available_instruction_sets: Vec<String>,
}

impl Facts {
    /// What an engine says about its model.
    pub fn of(engine: &Engine) -> Self {
        let info = engine.info();
        Self {
            name: info.name.clone(),
            language: info.language.clone(),
            parameters: info.parameters,
            size_bytes: info.size_bytes,
            vocab_size: info.vocab_size,
            frame_ms: ms(info.frame),
            look_aheads: info.look_aheads.clone(),
            chunks_ms: info.chunks().map(ms).collect(),
            default_chunk_ms: ms(info.frame) * (info.default_look_ahead + 1) as f64,
            left_context_ms: ms(info.frame) * info.left_context as f64,
            endpointing: info.endpointing,
            speakers: info.speakers,
            ngrams: info.ngrams,
            language_network: info.language_network,
            instruction_set: info.isa.map(|isa| isa.to_string()),
            available_instruction_sets: Isa::available().iter().map(ToString::to_string).collect(),
        }
    }
}

/// Milliseconds of a duration.
pub fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// Runs the command.
///
/// # Errors
/// When the model can't be opened or the output not be written.
pub fn run(args: &Info) -> Result<ExitCode, Failure> {
    let engine = model::open(args.model.as_deref())?;
    let facts = Facts::of(&engine);
    let mut out = io::stdout().lock();
    if args.json {
        serde_json::to_writer_pretty(&mut out, &facts).map_err(io::Error::from)?;
        writeln!(out)?;
        return Ok(ExitCode::SUCCESS);
    }
    let list = |values: &[f64]| values.iter().map(|value| format!("{value:.0}")).collect::<Vec<_>>().join(", ");
    writeln!(out, "name              {}", facts.name)?;
    writeln!(out, "language          {}", facts.language)?;
    writeln!(out, "parameters        {:.2} M", facts.parameters as f64 / 1e6)?;
    writeln!(out, "size              {:.2} MB", facts.size_bytes as f64 / 1e6)?;
    writeln!(out, "vocabulary        {} tokens", facts.vocab_size)?;
    writeln!(out, "frame             {:.0} ms", facts.frame_ms)?;
    writeln!(out, "chunks            {} ms (default {:.0})", list(&facts.chunks_ms), facts.default_chunk_ms)?;
    writeln!(
        out,
        "look-aheads       {} frames",
        facts.look_aheads.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
    )?;
    writeln!(out, "left context      {:.0} ms", facts.left_context_ms)?;
    let parts = [
        (facts.endpointing, "endpointing"),
        (facts.speakers, "speakers"),
        (facts.ngrams > 0, "n-grams"),
        (facts.language_network, "language network"),
    ];
    let parts: Vec<_> = parts.iter().filter(|(there, _)| *there).map(|(_, name)| *name).collect();
    writeln!(out, "also has          {}", if parts.is_empty() { "nothing".into() } else { parts.join(", ") })?;
    writeln!(out, "instruction set   {}", facts.instruction_set.as_deref().unwrap_or("none"))?;
    writeln!(out, "available         {}", facts.available_instruction_sets.join(", "))?;
    Ok(ExitCode::SUCCESS)
}
