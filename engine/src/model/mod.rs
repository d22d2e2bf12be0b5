//! The streaming transducer: model file, encoder, predictor and joiner.

#[cfg(feature = "reference")]
mod attach;
pub mod bounds;
#[cfg(feature = "reference")]
pub mod checkpoint;
pub mod config;
mod container;
mod description;
pub mod encoder;
pub mod error;
pub mod file;
pub mod head;
pub mod joiner;
pub mod language_network;
mod layout;
mod lstm;
#[cfg(feature = "reference")]
pub mod nemo;
pub mod ngrams;
pub mod open;
#[cfg(feature = "reference")]
pub mod pack;
pub mod predictor;
#[cfg(feature = "reference")]
mod sentencepiece;
#[cfg(test)]
pub(crate) mod testing;
pub mod tokens;
#[cfg(feature = "reference")]
mod torch;
pub mod weights;
