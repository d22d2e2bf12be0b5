//! The `linnet` command line.

mod args;
mod convert;
mod emission;
mod eval;
mod failure;
mod info;
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
        Command::Eval(args) => eval::run(&args),
        Command::Info(args) => info::run(&args),
        Command::Convert(args) => convert::run(&args),
        Command::Lm(args) => lm::run(&args),
        #[cfg(feature = "download")]
        Command::Models(args) => models::run(&args),
    };
    result.unwrap_or_else(failure::Failure::report)
}
