//! Linnet as a server: recognition over WebSocket and HTTP, in the shapes of Deepgram's v1 API, so that clients of that
//! service work with a box without a network when their URL is changed.
//!
//! A connection's audio goes through [`audio`] to its [`recognition`], which the threads of the [`pool`] run; what it
//! tells comes back to [`listen`] and on to the client. [`admission`] decides who is let in, [`auth`] who may ask, and
//! [`server`] has the sockets.

pub mod admission;
pub mod audio;
pub mod auth;
pub mod breaker;
pub mod canary;
pub mod config;
pub mod error;
pub mod listen;
pub mod page;
pub mod pool;
pub mod recognition;
pub mod server;
pub mod telemetry;
#[cfg(feature = "tls")]
pub mod tls;

use std::sync::Arc;

use linnet::Engine;
use tokio::sync::watch;
use uuid::Uuid;

pub use config::Config;
pub use server::{Server, ServerError};

/// What all requests share.
pub struct App {
    config: Config,
    engine: Engine,
    model_id: Uuid,
    pool: pool::Pool<recognition::Recognition>,
    admission: Arc<admission::Admission>,
    /// Turns true when open streams have to end.
    stop: watch::Receiver<bool>,
    /// Whether the server listens on this machine only.
    loopback: bool,
}
