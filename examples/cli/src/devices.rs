//! `linnet devices`: the microphones that there are.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use linnet::live::Microphone;
use serde::Serialize;

use crate::{args::Devices, failure::Failure};

#[derive(Serialize)]
struct Line<'a> {
    id: &'a str,
    name: &'a str,
}

/// Runs the command.
///
/// # Errors
/// When there is no sound system.
pub fn run(args: &Devices) -> Result<ExitCode, Failure> {
    let devices = Microphone::list().map_err(|error| Failure::Work(error.to_string()))?;
    let mut out = io::stdout().lock();
    if args.json {
        let lines: Vec<_> = devices.iter().map(|device| Line { id: &device.id, name: &device.name }).collect();
        serde_json::to_writer_pretty(&mut out, &lines).map_err(io::Error::from)?;
        writeln!(out)?;
    } else if devices.is_empty() {
        eprintln!("linnet: no microphones are listed; `linnet listen` still tries the system's default one");
    } else {
        let width = devices.iter().map(|device| console::measure_text_width(&device.id)).max().unwrap_or(0);
        for device in &devices {
            writeln!(out, "{:width$}  {}", device.id, device.name)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
