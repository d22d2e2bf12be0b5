//! The way from a connection to its recognition.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::Container;
use crate::{
    pool::{Closed, Seat},
    recognition::{Command, Recognition},
};

/// What a connection passes on, in order.
#[derive(Debug)]
pub enum Piece {
    /// Audio, and when it was received.
    Audio(Bytes, Instant),
    /// Anything else.
    Control(Command),
}

/// Where a connection's pieces go: straight to the recognition, or through the decoder of a container.
pub enum Feed {
    /// Samples without a header.
    Raw {
        /// The stream's seat in the pool.
        seat: Arc<Seat<Recognition>>,
        /// Bytes of a millisecond of audio.
        bytes_per_ms: usize,
    },
    /// A file.
    Container {
        /// The stream's seat in the pool.
        seat: Arc<Seat<Recognition>>,
        /// To the thread that decodes.
        pieces: mpsc::Sender<Piece>,
    },
}

/// Most audio in a piece, so that the turns of the pool stay short.
const PIECE_MS: usize = 100;

/// Most bytes of a container in a piece, and most such pieces that wait for the decoder.
const CONTAINER_PIECE: usize = 16 * 1024;
const CONTAINER_PIECES: usize = 16;

impl Feed {
    /// For samples without a header.
    pub fn raw(seat: Arc<Seat<Recognition>>, bytes_per_ms: usize) -> Self {
        Self::Raw { seat, bytes_per_ms: bytes_per_ms.max(1) }
    }

    /// For a file, decoded by a thread of its own.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn container(seat: Arc<Seat<Recognition>>) -> std::io::Result<Self> {
        let (pieces, receiver) = mpsc::channel(CONTAINER_PIECES);
        Container::spawn(receiver, seat.clone())?;
        Ok(Self::Container { seat, pieces })
    }

    /// Cuts received audio into pieces.
    pub fn pieces(&self, mut bytes: Bytes, received: Instant) -> impl Iterator<Item = Piece> + use<> {
        let most = match self {
            Self::Raw { bytes_per_ms, .. } => bytes_per_ms * PIECE_MS,
            Self::Container { .. } => CONTAINER_PIECE,
        };
        std::iter::from_fn(move || {
            (!bytes.is_empty()).then(|| Piece::Audio(bytes.split_to(bytes.len().min(most)), received))
        })
    }

    /// Passes a piece on if there is room; gives it back if there is none.
    ///
    /// # Errors
    /// [`Closed`] when the recognition has ended.
    pub fn offer(&self, piece: Piece) -> Result<Option<Piece>, Closed> {
        match self {
            Self::Raw { seat, bytes_per_ms } => {
                let command = match piece {
                    Piece::Audio(bytes, received) => {
                        let cost_ms = bytes.len() / bytes_per_ms;
                        Command::Bytes { bytes, received, cost_ms }
                    }
                    Piece::Control(command) => command,
                };
                Ok(seat.offer(command)?.map(|back| match back {
                    Command::Bytes { bytes, received, .. } => Piece::Audio(bytes, received),
                    command => Piece::Control(command),
                }))
            }
            Self::Container { pieces, .. } => match pieces.try_send(piece) {
                Ok(()) => Ok(None),
                Err(TrySendError::Full(piece)) => Ok(Some(piece)),
                Err(TrySendError::Closed(_)) => Err(Closed),
            },
        }
    }

    /// Waits until [`Feed::offer`] is worth another try.
    pub async fn room(&self) {
        match self {
            Self::Raw { seat, .. } => seat.room().await,
            // The permit is dropped at once: there is but one sender.
            Self::Container { pieces, .. } => drop(pieces.reserve().await),
        }
    }

    /// Passes a piece on, and waits for room first.
    ///
    /// # Errors
    /// [`Closed`] when the recognition has ended.
    pub async fn send(&self, mut piece: Piece) -> Result<(), Closed> {
        while let Some(back) = self.offer(piece)? {
            piece = back;
            self.room().await;
        }
        Ok(())
    }

    /// Gives up: what waits is not worked on.
    pub fn leave(&self) {
        let (Self::Raw { seat, .. } | Self::Container { seat, .. }) = self;
        seat.leave();
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.leave();
    }
}
