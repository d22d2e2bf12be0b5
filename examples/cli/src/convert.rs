//! `linnet convert`.
use crate::{args::Convert, failure::Failure};
use std::process::ExitCode;
pub fn run(_args: &Convert) -> Result<ExitCode, Failure> {
    Ok(ExitCode::SUCCESS)
}
