//! The recognizer: an [`Engine`] holds the weights and is shared; a [`Stream`] is the state of one audio stream.
//!
//! ```no_run
//! use linnet::{Engine, Event, StreamConfig};
//!
//! # fn main() -> Result<(), linnet::Error> {
//! let engine = Engine::open("model.linnet")?;
//! let mut stream = engine.stream(StreamConfig::default())?;
//! # let microphone: Vec<Vec<f32>> = Vec::new();
//! for samples in microphone {
//!     stream.push_f32(&samples)?;
//!     while let Some(event) = stream.poll() {
//!         match event {
//!             Event::Interim(hypothesis) => println!("… {}", hypothesis.text()),
//!             Event::Final(hypothesis) => println!("{}", hypothesis.text()),
//!             _ => {}
//!         }
//!     }
//! }
//! stream.finish()?;
//! while let Some(event) = stream.poll() {
//!     println!("{event:?}");
//! }
//! # Ok(())
//! # }
//! ```

mod config;
mod ending;
mod engine;
mod error;
mod event;
mod listen;
mod metrics;
mod outbox;
mod second_pass;
mod stream;
mod timeline;

pub use config::{AudioFormat, ShallowFusion, StreamConfig};
pub use engine::{Engine, ModelInfo};
pub use error::Error;
pub use event::Event;
pub(crate) use metrics::Recorder;
pub use metrics::{Metrics, Stage, StageTimes};
pub use stream::Stream;
