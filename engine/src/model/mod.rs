//! The streaming transducer: model file, encoder, predictor and joiner.

pub mod config;
pub mod encoder;
pub mod head;
pub mod joiner;
pub mod predictor;
pub mod weights;
