//! Values of settings, in C's terms and in Rust's.

use std::time::Duration;

use crate::error::Failure;

/// A flag, which is 0 or 1: anything else is a mistake of the host.
pub(crate) fn flag(value: u32, name: &str) -> Result<bool, Failure> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Failure::argument(format!("{name} is {other}; it takes 0 or 1"))),
    }
}

/// A duration for which zero stands for none.
pub(crate) fn optional(ms: u32) -> Option<Duration> {
    (ms != 0).then(|| Duration::from_millis(ms.into()))
}

/// Whole milliseconds, the largest number where there are more.
pub(crate) fn saturate_ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

/// A number within bounds.
pub(crate) fn within(value: u32, least: u32, most: u32, name: &str) -> Result<usize, Failure> {
    if (least..=most).contains(&value) {
        return Ok(value as usize);
    }
    Err(Failure::argument(format!("{name} is {value}; it takes {least} to {most}")))
}
