//! Log-mel features.
//!
//! Samples at the model's rate go into [`LogMel::push`] in pieces of any size; frames of `mel_bins` natural logarithms
//! come out, one per hop, each as soon as the audio under its window has arrived. The output does not depend on how the
//! audio was cut, bit for bit.

mod log_mel;
mod mel;

pub use log_mel::{FeatureError, LogMel};
