//! Audio in: files, sample formats and rates.
//!
//! A host's samples, or those of a file ([`formats`]), cross from the audio thread to the recognizer's through a
//! [`ring`], and become mono at the model's rate in [`resample`]. [`convert`] knows the sample formats.

pub mod convert;
pub mod formats;
#[cfg(feature = "opus")]
pub mod opus;
pub mod resample;
pub mod ring;

pub use convert::PcmSample;
pub use formats::{AudioFile, AudioFileError, Damage, Encoding, RawFormat};
pub use resample::{ResampleError, Resampler};
