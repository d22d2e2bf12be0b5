//! What an operator sets.

use std::time::Duration;

#[cfg(feature = "tls")]
use crate::tls::TlsFiles;
use crate::{auth::Tokens, canary::Canary};

/// Settings of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Who may connect; `None` lets everybody.
    pub tokens: Option<Tokens>,
    /// Serve without tokens on an address that other machines reach.
    pub allow_open: bool,
    /// Serve over TLS with this certificate; `None` for plain connections.
    #[cfg(feature = "tls")]
    pub tls: Option<TlsFiles>,
    /// Recognize a recording with known words now and then.
    pub canary: Option<Canary>,
    /// Inference threads.
    pub workers: usize,
    /// Most live streams; `None` measures the model at the start and takes what the threads can do.
    pub max_streams: Option<usize>,
    /// Whether a second pass corrects live streams ([`linnet::StreamConfig::second_pass`]), for 1.5 times the processor
    /// time.
    pub second_pass: bool,
    /// Most recordings at once.
    pub max_recordings: usize,
    /// Most TCP connections.
    pub max_connections: usize,
    /// Most bytes of a recording.
    pub max_body: u64,
    /// Most bytes of a WebSocket message.
    pub max_message: usize,
    /// A live client that sends nothing for so long is gone.
    pub idle_timeout: Duration,
    /// A client that takes nothing for so long is gone.
    pub write_timeout: Duration,
    /// Longest wait for the next bytes of a recording.
    pub body_timeout: Duration,
    /// Longest time for the head of a request, and for which a connection is kept between requests.
    pub header_timeout: Duration,
    /// How long open streams may go on when the server is told to stop.
    pub drain_timeout: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            tokens: None,
            allow_open: false,
            #[cfg(feature = "tls")]
            tls: None,
            canary: None,
            workers: cores,
            max_streams: None,
            second_pass: true,
            max_recordings: 2 * cores,
            max_connections: 4096,
            max_body: 2 << 30,
            max_message: 1 << 20,
            idle_timeout: Duration::from_secs(10),
            write_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            header_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
        }
    }
}
