//! The way from a connection to its recognition.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use tokio::sync::mpsc::{self, error::TrySendError};

use super::{Container, Framing};
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

/// Where a connection's pieces go: straight to the recognition, or through the decoder of a container. Dropping it gives
/// the stream up.
pub struct Feed {
    seat: Arc<Seat<Recognition>>,
    way: Way,
}

enum Way {
    /// Audio without a header.
    Raw(Framing),
    /// A file: to the thread that decodes it.
    Container(mpsc::Sender<Piece>),
}

/// Most audio in a piece, so that the turns of the pool stay short.
const PIECE_MS: usize = 100;

/// Most bytes of a container in a piece, and most such pieces that wait for the decoder.
const CONTAINER_PIECE: usize = 16 * 1024;
const CONTAINER_PIECES: usize = 16;

impl Feed {
    /// For audio without a header, or for a file, which a thread of its own decodes.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn new(seat: Arc<Seat<Recognition>>, framing: Option<Framing>) -> std::io::Result<Self> {
        let way = match framing {
            Some(framing) => Way::Raw(framing),
            None => Way::container(&seat)?,
        };
        Ok(Self { seat, way })
    }

    /// Takes what comes for a file, when audio that was announced as packets of Opus starts as one does.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn look_at_start(&mut self, first: &[u8]) -> std::io::Result<()> {
        if matches!(self.way, Way::Raw(Framing::Packets)) && first.starts_with(b"OggS") {
            self.way = Way::container(&self.seat)?;
        }
        Ok(())
    }

    /// Cuts received audio into pieces.
    pub fn pieces(&self, mut bytes: Bytes, received: Instant) -> impl Iterator<Item = Piece> + use<> {
        let most = match self.way {
            Way::Raw(Framing::Samples { bytes_per_s }) => (bytes_per_s * PIECE_MS / 1000).max(1),
            Way::Raw(Framing::Packets) => usize::MAX,
            Way::Container(_) => CONTAINER_PIECE,
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
        match &self.way {
            Way::Raw(framing) => {
                let command = match piece {
                    Piece::Audio(bytes, received) => {
                        let cost_ms = framing.milliseconds(&bytes);
                        Command::Bytes { bytes, received, cost_ms }
                    }
                    Piece::Control(command) => command,
                };
                Ok(self.seat.offer(command)?.map(|back| match back {
                    Command::Bytes { bytes, received, .. } => Piece::Audio(bytes, received),
                    command => Piece::Control(command),
                }))
            }
            Way::Container(pieces) => match pieces.try_send(piece) {
                Ok(()) => Ok(None),
                Err(TrySendError::Full(piece)) => Ok(Some(piece)),
                Err(TrySendError::Closed(_)) => Err(Closed),
            },
        }
    }

    /// Waits until [`Feed::offer`] is worth another try.
    pub async fn room(&self) {
        match &self.way {
            Way::Raw(_) => self.seat.room().await,
            // The permit is dropped at once: there is but one sender.
            Way::Container(pieces) => drop(pieces.reserve().await),
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
}

impl Way {
    fn container(seat: &Arc<Seat<Recognition>>) -> std::io::Result<Self> {
        let (pieces, receiver) = mpsc::channel(CONTAINER_PIECES);
        Container::spawn(receiver, seat.clone())?;
        Ok(Self::Container(pieces))
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        // What waits is not worked on.
        self.seat.leave();
    }
}
