//! The second pass: the encoder once more, with its longest look-ahead, behind the first.
//!
//! The first pass tells of words soon, the second corrects them: whenever it completes a chunk, the search goes back to
//! where the second pass had come, takes the better frames, and from there on those of the first pass until the next
//! chunk. So only what the second pass has heard is confirmed, and finals are made of it. After cascaded encoders
//! (Narayanan et al. 2021, arXiv:2010.14606), here with one set of weights.

use super::Error;
use crate::{
    decode::{Decoded, Search, Token},
    model::{
        encoder::{Encoder, EncoderError},
        head::TransducerHead,
    },
};

/// Tokens that one chunk seldom exceeds.
const TYPICAL_TOKENS: usize = 64;

/// The encoder behind that of a stream, and where the search stood with it.
pub(super) struct SecondPass {
    encoder: Box<dyn Encoder>,
    /// Frames of the last push, of which the search took this many.
    encoded: Vec<f32>,
    taken: usize,
    /// Index of the next frame.
    next: u64,
    /// The search after the last frame taken.
    reached: Search,
    /// Tokens that the search confirmed since, on frames of the first pass.
    held: Vec<Token>,
    running: bool,
}

impl SecondPass {
    /// At rest; `search` is that of the stream.
    pub(super) fn new(encoder: Box<dyn Encoder>, search: Search) -> Self {
        let room = 2 * (encoder.look_ahead() + 1) * encoder.config().d_model;
        Self {
            encoder,
            encoded: Vec::with_capacity(room),
            taken: 0,
            next: 0,
            reached: search,
            held: Vec::with_capacity(TYPICAL_TOKENS),
            running: false,
        }
    }

    /// Encoder frames of its chunks.
    pub(super) fn chunk(&self) -> usize {
        self.encoder.look_ahead() + 1
    }

    pub(super) fn is_running(&self) -> bool {
        self.running
    }

    /// Starts afresh where the search of the stream stands, as the encoder of the stream does, or rests.
    pub(super) fn restart(&mut self, run: bool, search: &Search, head: &dyn TransducerHead) {
        self.encoder.reset();
        self.encoded.clear();
        self.taken = 0;
        self.next = search.frames();
        self.running = run;
        // What has just been reviewed is known of in more hypotheses.
        if !self.reached.stands_with(search) {
            self.begin_utterance(search, head);
        }
    }

    /// Lets an utterance begin where the search of the stream stands: what this pass has not heard before is no part of it.
    pub(super) fn begin_utterance(&mut self, search: &Search, head: &dyn TransducerHead) {
        self.reached.copy_from(search, head);
        self.held.clear();
    }

    /// Rests until the next start, and gives away the tokens that it held.
    pub(super) fn stop(&mut self) -> std::vec::Drain<'_, Token> {
        self.running = false;
        self.held.drain(..)
    }

    /// The search that is kept beside that of the stream, for what a host changes about both.
    pub(super) fn search(&mut self) -> &mut Search {
        &mut self.reached
    }

    /// The search to end an utterance with, that of this pass if it has come as far as that of the stream, and the tokens
    /// before those that it is still undecided about.
    pub(super) fn ending<'a>(&'a mut self, search: &'a mut Search) -> (&'a mut Search, &'a [Token]) {
        if self.running && self.reached.stands_with(search) {
            return (&mut self.reached, &[]);
        }
        (search, &self.held)
    }

    /// Lets the search skip frames, after what this pass has heard of those before, if it has come as far.
    pub(super) fn skip(&mut self, frames: u64, search: &mut Search, head: &dyn TransducerHead) {
        if self.running && self.reached.stands_with(search) {
            self.reached.skip(frames);
            search.copy_from(&self.reached, head);
        } else {
            search.skip(frames);
        }
    }

    /// Encodes what the first pass encodes. Returns whether a chunk is complete.
    pub(super) fn encode(
        &mut self,
        encode: impl FnOnce(&mut dyn Encoder, &mut Vec<f32>) -> Result<usize, EncoderError>,
    ) -> Result<bool, Error> {
        if !self.running {
            return Ok(false);
        }
        self.encoded.clear();
        self.taken = 0;
        Ok(encode(self.encoder.as_mut(), &mut self.encoded)? > 0)
    }

    /// Makes tokens that the search confirmed on frames of the first pass tentative.
    pub(super) fn hold(&mut self, decoded: &mut Decoded) {
        if self.running {
            self.held.append(&mut decoded.confirmed);
            let undecided = decoded.tail.len();
            decoded.tail.extend_from_slice(&self.held);
            decoded.tail.rotate_left(undecided);
        }
    }

    /// Takes the search back and through the next chunk, if that is complete and ends at frame `limit` or before. What
    /// comes out is in `out`. Returns whether there was a chunk, and whether the search heard anything of it.
    pub(super) fn review(
        &mut self,
        limit: u64,
        search: &mut Search,
        head: &dyn TransducerHead,
        out: &mut Decoded,
    ) -> Option<bool> {
        let width = head.frame_width();
        let waiting = &self.encoded[self.taken * width..];
        let count = (waiting.len() / width).min(self.chunk());
        if count == 0 || self.next + count as u64 > limit {
            return None;
        }
        // An utterance that ended after these frames is over.
        let over = self.reached.frames().saturating_sub(self.next).min(count as u64) as usize;
        self.taken += count;
        self.next += count as u64;
        if over == count {
            return Some(false);
        }
        self.held.clear();
        out.clear();
        self.reached.decode(head, &waiting[over * width..count * width], out);
        search.copy_from(&self.reached, head);
        Some(true)
    }
}
