//! The streaming transducer: model file, encoder, predictor and joiner.

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
pub mod predictor;
mod layout;
#[cfg(feature = "reference")]
pub mod pack;
#[cfg(test)]
pub(crate) mod testing;
pub mod tokens;
pub mod weights;
