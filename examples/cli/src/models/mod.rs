//! `linnet models`: bigger public models, fetched when asked for.

mod catalogue;
mod lfs;
mod pull;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use etcetera::{BaseStrategy, choose_base_strategy};
use serde::Serialize;

use crate::{
    args::{Models, ModelsCommand},
    failure::Failure,
};
use catalogue::{CATALOGUE, Entry, find};

/// Runs the command.
///
/// # Errors
/// When a model can't be fetched or converted.
pub fn run(args: &Models) -> Result<ExitCode, Failure> {
    match &args.command {
        ModelsCommand::List { json } => list(*json)?,
        ModelsCommand::Pull(args) => pull::run(args)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// An entry and where it is on this machine.
#[derive(Serialize)]
struct Listed {
    #[serde(flatten)]
    entry: &'static Entry,
    /// The converted model, when it was pulled.
    path: Option<PathBuf>,
}

fn list(json: bool) -> Result<(), Failure> {
    let cache = cache();
    let listed: Vec<Listed> = CATALOGUE
        .iter()
        .map(|entry| Listed { entry, path: cache.as_deref().map(|dir| packed(dir, entry.name)).filter(|p| p.exists()) })
        .collect();
    let mut out = io::stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, &listed).map_err(io::Error::from)?;
        return Ok(writeln!(out)?);
    }
    writeln!(out, "{:<24} {:>7} {:>9}  {:<10} about", "name", "weights", "download", "licence")?;
    writeln!(out, "{:<24} {:>6}M {:>9}  {:<10} built in", "linnet-en", 4, "-", "Apache-2.0")?;
    for Listed { entry, path } in listed {
        let here = if path.is_some() { "(here) " } else { "" };
        writeln!(
            out,
            "{:<24} {:>6}M {:>6} MB  {:<10} {here}{}",
            entry.name, entry.parameters_m, entry.download_mb, entry.licence, entry.about
        )?;
    }
    Ok(())
}

/// Where pulled models are kept; `None` on a system without a home directory.
fn cache() -> Option<PathBuf> {
    Some(choose_base_strategy().ok()?.cache_dir().join("linnet").join("models"))
}

fn packed(dir: &Path, name: &str) -> PathBuf {
    dir.join(format!("{name}.linnet"))
}

/// The file that `--model` means: the path as given, or the pulled model of that name.
///
/// # Errors
/// When it is the name of a model that was not pulled yet.
pub fn resolve(asked: &Path) -> Result<PathBuf, Failure> {
    let entry = asked.to_str().and_then(find);
    let Some(entry) = entry.filter(|_| !asked.exists()) else { return Ok(asked.to_owned()) };
    match cache().map(|dir| packed(&dir, entry.name)).filter(|path| path.exists()) {
        Some(path) => Ok(path),
        None => {
            Err(Failure::Work(format!("{} is not on this machine yet: linnet models pull {}", entry.name, entry.name)))
        }
    }
}
