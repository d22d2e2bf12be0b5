//! The `linnet` command line.

mod args;
mod bench;
mod convert;
#[cfg(feature = "capture")]
mod devices;
mod diarize;
mod emission;
mod eval;
mod failure;
mod info;
#[cfg(feature = "capture")]
mod listen;
mod lm;
mod model;
#[cfg(feature = "download")]
mod models;
mod ngram;
mod output;
mod search;
mod set;
mod source;
mod stats;
mod subtitles;
mod transcribe;
mod wer;

use std::process::ExitCode;

use clap::Parser;

use args::{Cli, Command};

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Transcribe(args) => transcribe::run(&args),
        #[cfg(feature = "capture")]
        Command::Listen(args) => listen::run(&args),
        #[cfg(feature = "capture")]
        Command::Devices(args) => devices::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Diarize(args) => diarize::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Lm(args) => lm::run(&args),
        #[cfg(feature = "download")]
        Command::Models(args) => models::run(&args),
    };
    result.unwrap_or_else(failure::Failure::report)
}
