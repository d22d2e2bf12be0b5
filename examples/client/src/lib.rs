//! A client of Linnet's server, or of any that speaks Deepgram's v1 protocol, that loses no word when the connection
//! does.
//!
//! Audio stays in a rolling buffer until a final covers it. When the connection breaks, the client connects again with
//! growing waits, and sends all that is in the buffer once more; the server's times start anew there, and are put back
//! on the stream's own timeline. Since only finals are kept, and the new connection starts where the last one ended,
//! no word comes twice and none is lost.
//!
//! ```no_run
//! use linnet_client::{Client, ClientConfig, ClientEvent};
//!
//! # async fn run(mut microphone: impl Iterator<Item = Vec<i16>>) -> Result<(), linnet_client::ClientError> {
//! let mut client = Client::start(ClientConfig::new("ws://127.0.0.1:8080"));
//! for samples in microphone {
//!     client.push(samples).await?;
//!     while let Some(event) = client.try_event() {
//!         if let ClientEvent::Final(words) = event {
//!             println!("{}", words.text);
//!         }
//!     }
//! }
//! client.finish();
//! while let Some(event) = client.event().await {
//!     println!("{event:?}");
//! }
//! # Ok(())
//! # }
//! ```

mod backoff;
mod config;
mod connection;
mod replay;
mod wire;

use std::time::Duration;

use tokio::sync::mpsc;

pub use backoff::Backoff;
pub use config::ClientConfig;
pub use replay::Replay;

/// Blocks of audio that wait for the connection's task before [`Client::push`] waits.
const WAITING_BLOCKS: usize = 64;

/// Where the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Trying to reach the server.
    Connecting,
    /// The server takes audio.
    Connected,
    /// Waiting before the next attempt.
    Waiting(Duration),
}

/// What a client tells. Times are positions in the audio that was pushed, whatever happened to connections.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientEvent {
    /// The connection changed.
    State(State),
    /// The words so far of what no final covers.
    Interim(Words),
    /// Words that won't change any more. Each part of the audio is covered once.
    Final(Words),
    /// Audio was lost, because the server was away for longer than [`ClientConfig::keep`].
    Gap {
        /// Where it begins.
        at: Duration,
        /// How much is missing.
        length: Duration,
    },
    /// All was recognized; the last event.
    Finished(Counters),
    /// The server refuses this client for good; the last event.
    Refused(String),
}

/// Words of one channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Words {
    /// The channel, from zero.
    pub channel: usize,
    /// Where the audio starts that they are of.
    pub start: Duration,
    /// Where it ends.
    pub end: Duration,
    /// The words, separated by spaces.
    pub text: String,
    /// With times.
    pub words: Vec<Word>,
    /// A pause ended the utterance.
    pub speech_final: bool,
}

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// Its text.
    pub text: String,
    /// Where it starts.
    pub start: Duration,
    /// Where it ends.
    pub end: Duration,
    /// Probability that it is right.
    pub confidence: f32,
}

/// What happened to the connections of a client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connections that were opened.
    pub connections: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Connections that broke.
    pub breaks: u64,
    /// Audio that was sent again.
    pub replayed: Duration,
    /// Time without a connection.
    pub away: Duration,
}

/// Why audio can't be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// [`ClientEvent::Finished`] or [`ClientEvent::Refused`] was told, or [`Client::finish`] called.
    #[error("the client has ended; start a new one")]
    Ended,
}

/// A stream of audio to a server. Its work is done by a task of its own; dropping the client ends that.
#[derive(Debug)]
pub struct Client {
    audio: Option<mpsc::Sender<Vec<i16>>>,
    events: mpsc::UnboundedReceiver<ClientEvent>,
}

impl Client {
    /// Starts to connect. Has to be called in a tokio runtime.
    pub fn start(config: ClientConfig) -> Self {
        let (audio, blocks) = mpsc::channel(WAITING_BLOCKS);
        let (sender, events) = mpsc::unbounded_channel();
        tokio::spawn(connection::run(config, blocks, sender));
        Self { audio: Some(audio), events }
    }

    /// Takes interleaved samples. They are kept while the server is away.
    ///
    /// # Errors
    /// [`ClientError::Ended`].
    pub async fn push(&mut self, samples: Vec<i16>) -> Result<(), ClientError> {
        let audio = self.audio.as_ref().ok_or(ClientError::Ended)?;
        audio.send(samples).await.map_err(|_| ClientError::Ended)
    }

    /// No more audio comes. [`ClientEvent::Finished`] follows when all is recognized.
    pub fn finish(&mut self) {
        self.audio = None;
    }

    /// The next event; `None` after the last one.
    pub async fn event(&mut self) -> Option<ClientEvent> {
        self.events.recv().await
    }

    /// The next event if there is one.
    pub fn try_event(&mut self) -> Option<ClientEvent> {
        self.events.try_recv().ok()
    }
}
