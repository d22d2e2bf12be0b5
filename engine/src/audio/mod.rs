//! Audio in: files, sample formats and rates.

pub mod convert;
pub mod formats;
pub mod resample;
