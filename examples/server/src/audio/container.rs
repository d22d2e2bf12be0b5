//! Files that are decoded while they arrive.
//!
//! The engine's reader pulls bytes and may wait for them, so each file has a thread; what it decodes goes to the
//! stream's seat, and waits there for room as everything else.

use std::{
    io::{self, Read},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use bytes::{Buf, Bytes};
use linnet::{
    AudioFormat,
    audio::formats::{AudioFile, AudioFileError, Damage},
};
use sha2::{Digest, Sha256};
use tokio::{runtime::Handle, sync::mpsc};

use super::Piece;
use crate::{
    pool::{Closed, Seat},
    recognition::{Command, Recognition},
    telemetry,
};

/// The thread that decodes a file.
pub struct Container {
    incoming: Arc<Mutex<Incoming>>,
    sender: Sender,
}

/// The way to the recognition.
#[derive(Clone)]
struct Sender {
    seat: Arc<Seat<Recognition>>,
    runtime: Handle,
}

impl Sender {
    fn send(&self, command: Command) -> Result<(), Closed> {
        self.runtime.block_on(self.seat.send(command))
    }
}

impl Container {
    /// Starts a thread that decodes the audio among `pieces` until they end.
    ///
    /// # Errors
    /// When the system refuses the thread.
    pub fn spawn(pieces: mpsc::Receiver<Piece>, seat: Arc<Seat<Recognition>>) -> io::Result<()> {
        let sender = Sender { seat, runtime: Handle::current() };
        let incoming = Incoming {
            pieces,
            sender: sender.clone(),
            current: Bytes::new(),
            digest: Sha256::new(),
            received: Instant::now(),
            end: None,
        };
        let container = Self { incoming: Arc::new(Mutex::new(incoming)), sender };
        thread::Builder::new().name("container".into()).spawn(move || {
            // A file is what strangers send: a defect of a decoder ends its stream only.
            let ended = catch_unwind(AssertUnwindSafe(|| container.run())).unwrap_or_else(|_| {
                telemetry::crashed();
                container.sender.send(Command::Fail("its decoder failed; convert it to WAV or FLAC".into()))
            });
            // Nobody waits for the rest when the recording was given up, by its sender or by the recognition.
            if ended.is_err() {
                container.sender.seat.leave();
            }
        })?;
        Ok(())
    }

    fn run(&self) -> Result<(), Closed> {
        let mut file = match AudioFile::from_reader(PieceReader(self.incoming.clone()), None) {
            Ok(file) => file,
            Err(AudioFileError::Empty) => return self.finish(None),
            Err(error) => return self.sender.send(Command::Fail(error.to_string())),
        };
        let channels = u16::try_from(file.channels()).unwrap_or(u16::MAX);
        let format = AudioFormat { rate_hz: file.rate_hz(), channels };
        loop {
            match file.next_block() {
                Ok(Some(samples)) => {
                    let samples = samples.to_vec();
                    let received = self.incoming().received;
                    self.sender.send(Command::Samples { format, samples, received })?;
                }
                Ok(None) => {
                    let damage = file.damage();
                    return self.finish(note(damage));
                }
                Err(error) => return self.sender.send(Command::Fail(error.to_string())),
            }
        }
    }

    /// Waits for the sender's end: the file may have ended before it.
    fn finish(&self, damage: Option<String>) -> Result<(), Closed> {
        let digest = self.incoming().drain().map_err(|_| Closed)?;
        self.sender.send(Command::Finish { digest: Some(digest), damage })
    }

    fn incoming(&self) -> MutexGuard<'_, Incoming> {
        lock(&self.incoming)
    }
}

/// What there is to say about a damaged file.
fn note(damage: Damage) -> Option<String> {
    let packets = format!("{} packets could not be decoded and count as silence", damage.packets);
    match (damage.packets, damage.truncated) {
        (0, false) => None,
        (0, true) => Some("it ends before it should".into()),
        (_, false) => Some(packets),
        (_, true) => Some(format!("{packets}, and it ends before it should")),
    }
}

/// Only the thread of the container locks it.
fn lock(incoming: &Mutex<Incoming>) -> MutexGuard<'_, Incoming> {
    incoming.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What comes from the connection.
struct Incoming {
    pieces: mpsc::Receiver<Piece>,
    sender: Sender,
    current: Bytes,
    digest: Sha256,
    /// When the latest bytes were received.
    received: Instant,
    end: Option<End>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// The sender said so.
    Told,
    /// The connection broke.
    Broken,
}

impl Incoming {
    /// Takes bytes that may be read, or notes that there are no more. Other pieces go on to the recognition when they
    /// are met: everything that was decoded before them is there already.
    fn advance(&mut self) -> io::Result<()> {
        match self.pieces.blocking_recv() {
            Some(Piece::Audio(bytes, received)) => {
                self.digest.update(&bytes);
                self.received = received;
                self.current = bytes;
            }
            Some(Piece::Control(Command::Finish { .. })) => self.end = Some(End::Told),
            Some(Piece::Control(command)) => self.sender.send(command).map_err(io::Error::other)?,
            None => self.end = Some(End::Broken),
        }
        Ok(())
    }

    /// Reads to the end, and returns the digest of all bytes.
    fn drain(&mut self) -> io::Result<[u8; 32]> {
        while self.end.is_none() {
            self.advance()?;
        }
        if self.end == Some(End::Broken) {
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        Ok(std::mem::take(&mut self.digest).finalize().into())
    }
}

/// Bytes of the audio pieces, as they come.
struct PieceReader(Arc<Mutex<Incoming>>);

impl Read for PieceReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut incoming = lock(&self.0);
        while incoming.current.is_empty() && incoming.end.is_none() {
            incoming.advance()?;
        }
        let count = buffer.len().min(incoming.current.len());
        incoming.current.copy_to_slice(&mut buffer[..count]);
        Ok(count)
    }
}
