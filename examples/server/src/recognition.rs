//! The recognition of one connection or recording: what a pool thread runs.

use std::time::{Duration, Instant};

use bytes::Bytes;
use linnet::{
    AudioFormat, Engine, Event, FormatConfig, Hotword, Hypothesis, Stream, StreamConfig,
    transcript::search::{Hit, Search},
};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    audio::{BadAudio, RawDecoder, RawEncoding},
    pool::{Input, Work},
    telemetry,
};

/// What a recognition is told.
#[derive(Debug)]
pub enum Command {
    /// Samples without a header.
    Bytes {
        /// As received.
        bytes: Bytes,
        /// When they were received.
        received: Instant,
        /// Milliseconds of audio in them.
        cost_ms: usize,
    },
    /// Samples of a file.
    Samples {
        /// The same in all commands of a stream.
        format: AudioFormat,
        /// Interleaved.
        samples: Vec<f32>,
        /// When the last byte that they were decoded from was received.
        received: Instant,
    },
    /// Recognize everything so far, of one channel or of all.
    Finalize(Option<usize>),
    /// Write words in another way from now on.
    Format(FormatConfig),
    /// Expect other phrases from now on.
    Hotwords(Vec<Hotword>),
    /// End the stream.
    Finish {
        /// SHA-256 of the audio, where it was not pushed as bytes.
        digest: Option<[u8; 32]>,
        /// What could not be decoded.
        damage: Option<String>,
    },
    /// The audio can't be decoded.
    Fail(String),
}

impl Input for Command {
    fn cost(&self) -> usize {
        match self {
            Self::Bytes { cost_ms, .. } => *cost_ms,
            Self::Samples { format, samples, .. } => {
                let frames = samples.len() / usize::from(format.channels.max(1));
                frames * 1000 / format.rate_hz.max(1) as usize
            }
            _ => 0,
        }
    }
}

/// How a connection's audio is recognized.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Layout of audio without a header; `None` for a file, which tells its own.
    pub raw: Option<(RawEncoding, AudioFormat)>,
    /// Recognize channels on their own.
    pub multichannel: bool,
    /// Settings of each channel's stream.
    pub stream: StreamConfig,
    /// Gap after a word that counts as the end of an utterance.
    pub utterance_end: Option<Duration>,
    /// Phrases to look for in finals.
    pub search: Vec<Search>,
}

/// What a recognition tells.
#[derive(Debug)]
pub enum Output {
    /// Words.
    Results(Box<Results>),
    /// Speech began.
    SpeechStarted {
        /// The channel.
        channel: Channel,
        /// Where, in the stream.
        at: Duration,
    },
    /// No word came for [`Settings::utterance_end`].
    UtteranceEnd {
        /// The channel.
        channel: Channel,
        /// End of the last word.
        last_word_end: Duration,
    },
    /// All was recognized; nothing follows.
    Finished(Summary),
    /// The audio can't be decoded; nothing follows.
    BadAudio(String),
    /// The recognition failed; nothing follows.
    Failed(String),
}

/// A channel's number, and how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// From zero.
    pub index: usize,
    /// Channels recognized on their own.
    pub count: usize,
}

/// The words of a part of the stream.
#[derive(Clone, Debug)]
pub struct Results {
    /// The channel.
    pub channel: Channel,
    /// Where the part begins.
    pub start: Duration,
    /// Where it ends.
    pub end: Duration,
    /// The words won't change any more.
    pub is_final: bool,
    /// The utterance is over.
    pub speech_final: bool,
    /// The answer to [`Command::Finalize`].
    pub from_finalize: bool,
    /// The words, separated by spaces.
    pub transcript: String,
    /// Mean of the words' confidences.
    pub confidence: f32,
    /// With times.
    pub words: Vec<Word>,
    /// Where each phrase of [`Settings::search`] may have been said; empty in interims.
    pub hits: Vec<Vec<Hit>>,
    /// When the last audio that this is based on was received.
    pub received: Instant,
}

/// One word.
#[derive(Clone, Debug, PartialEq)]
pub struct Word {
    /// Its text.
    pub word: String,
    /// Where it starts.
    pub start: Duration,
    /// Where it ends.
    pub end: Duration,
    /// Probability that it is right.
    pub confidence: f32,
    /// Whether it is written as formatting wants it.
    pub formatted: bool,
    /// Who says it, where speakers are told apart.
    pub speaker: Option<u8>,
}

/// What there is to say at the end.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Length of the audio.
    pub duration: Duration,
    /// Channels recognized on their own.
    pub channels: usize,
    /// SHA-256 of the audio as received.
    pub digest: [u8; 32],
    /// What could not be decoded.
    pub damage: Option<String>,
    /// Phrases that can't be expected, and why.
    pub rejected: Vec<String>,
}

/// The streams of one connection: one, or one for each channel.
pub struct Recognition {
    engine: Engine,
    settings: Settings,
    out: UnboundedSender<Output>,
    decoder: Option<RawDecoder>,
    digest: Sha256,
    lanes: Vec<Lane>,
    samples: Vec<f32>,
    mono: Vec<f32>,
}

/// The stream of one channel.
struct Lane {
    channel: Channel,
    stream: Stream,
    /// End of the last final.
    covered: Duration,
    /// End of the last word, until its utterance end was told.
    last_word_end: Option<Duration>,
    /// End of the last word for which it was told.
    told: Option<Duration>,
}

/// How a flush is told to the client.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Flush {
    None,
    Finalize,
    Finish,
}

impl Recognition {
    /// Takes no memory to speak of until audio comes.
    pub fn new(engine: Engine, settings: Settings, out: UnboundedSender<Output>) -> Self {
        Self {
            engine,
            settings,
            out,
            decoder: None,
            digest: Sha256::new(),
            lanes: Vec::new(),
            samples: Vec::new(),
            mono: Vec::new(),
        }
    }

    fn open(&mut self, format: AudioFormat) -> Result<(), linnet::Error> {
        let count = if self.settings.multichannel { usize::from(format.channels) } else { 1 };
        let mut config = self.settings.stream.clone();
        config.audio = format;
        if self.settings.multichannel {
            config.audio.channels = 1;
        }
        for index in 0..count {
            let stream = self.engine.stream(config.clone())?;
            let channel = Channel { index, count };
            self.lanes.push(Lane { channel, stream, covered: Duration::ZERO, last_word_end: None, told: None });
        }
        Ok(())
    }

    fn push(&mut self, format: AudioFormat, samples: &[f32], received: Instant) -> Result<(), linnet::Error> {
        if self.lanes.is_empty() {
            self.open(format)?;
        }
        let began = Instant::now();
        let channels = self.lanes.len();
        for lane in &mut self.lanes {
            if channels == 1 {
                lane.stream.push_f32(samples)?;
            } else {
                self.mono.clear();
                self.mono.extend(samples.iter().skip(lane.channel.index).step_by(channels));
                lane.stream.push_f32(&self.mono)?;
            }
            lane.tell(&self.out, Flush::None, received, &self.settings);
        }
        telemetry::pushed(began.elapsed(), samples.len(), format);
        Ok(())
    }

    fn finalize(&mut self, channel: Option<usize>) -> Result<(), linnet::Error> {
        let now = Instant::now();
        for lane in &mut self.lanes {
            if channel.is_none_or(|index| index == lane.channel.index) {
                lane.stream.finalize()?;
                lane.tell(&self.out, Flush::Finalize, now, &self.settings);
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), linnet::Error> {
        let now = Instant::now();
        for lane in &mut self.lanes {
            lane.stream.finish()?;
            lane.tell(&self.out, Flush::Finish, now, &self.settings);
        }
        Ok(())
    }

    fn decode(
        &mut self,
        encoding: RawEncoding,
        format: AudioFormat,
        bytes: &[u8],
        samples: &mut Vec<f32>,
    ) -> Result<(), BadAudio> {
        let decoder = match &mut self.decoder {
            Some(decoder) => decoder,
            none => none.insert(RawDecoder::new(encoding, format)?),
        };
        decoder.push(bytes, samples)
    }

    fn handle(&mut self, command: Command) -> Result<bool, linnet::Error> {
        match command {
            Command::Bytes { bytes, received, .. } => {
                let Some((encoding, format)) = self.settings.raw else { return Ok(true) };
                self.digest.update(&bytes);
                let mut samples = std::mem::take(&mut self.samples);
                samples.clear();
                if let Err(error) = self.decode(encoding, format, &bytes, &mut samples) {
                    let _ = self.out.send(Output::BadAudio(error.to_string()));
                    return Ok(false);
                }
                let pushed = self.push(format, &samples, received);
                self.samples = samples;
                pushed?;
            }
            Command::Samples { format, samples, received } => self.push(format, &samples, received)?,
            Command::Finalize(channel) => self.finalize(channel)?,
            Command::Format(format) => {
                for lane in &mut self.lanes {
                    lane.stream.set_format(format.clone());
                }
                self.settings.stream.format = format;
            }
            Command::Hotwords(hotwords) => {
                let compiled = (!hotwords.is_empty()).then(|| self.engine.hotwords(&hotwords));
                for lane in &mut self.lanes {
                    lane.stream.set_hotwords(compiled.clone());
                }
                self.settings.stream.hotwords = hotwords;
            }
            Command::Finish { digest, damage } => {
                self.finish()?;
                let duration = self.lanes.iter().map(|lane| lane.stream.position()).max().unwrap_or_default();
                let digest = digest.unwrap_or_else(|| std::mem::take(&mut self.digest).finalize().into());
                let damage = damage.or_else(|| self.decoder.as_ref().and_then(RawDecoder::damage));
                let rejected = self.lanes.first().map_or(&[][..], |lane| lane.stream.rejected_hotwords());
                let rejected =
                    rejected.iter().map(|hotword| format!("{}: {}", hotword.phrase, hotword.reason)).collect();
                let summary = Summary { duration, channels: self.lanes.len().max(1), digest, damage, rejected };
                let _ = self.out.send(Output::Finished(summary));
                return Ok(false);
            }
            Command::Fail(why) => {
                let _ = self.out.send(Output::BadAudio(why));
                return Ok(false);
            }
        }
        // Nobody listens any more when the receiver is gone.
        Ok(!self.out.is_closed())
    }
}

impl Work for Recognition {
    type Input = Command;

    fn run(&mut self, command: Command) -> bool {
        self.handle(command).unwrap_or_else(|error| {
            let output = match error {
                linnet::Error::Audio(error) => Output::BadAudio(error.to_string()),
                error => Output::Failed(error.to_string()),
            };
            let _ = self.out.send(output);
            false
        })
    }

    fn crashed(&mut self) {
        telemetry::crashed();
        let _ = self.out.send(Output::Failed("the recognition of this stream failed; start it again".into()));
    }
}

impl Lane {
    /// Passes on what the stream has to tell.
    fn tell(&mut self, out: &UnboundedSender<Output>, flush: Flush, received: Instant, settings: &Settings) {
        let channel = self.channel;
        let mut flushed = false;
        let send = |output| {
            let _ = out.send(output);
        };
        while let Some(event) = self.stream.poll() {
            match event {
                Event::SpeechStarted { at } => send(Output::SpeechStarted { channel, at }),
                Event::Interim(hypothesis) => {
                    note_word(&mut self.last_word_end, self.told, hypothesis);
                    send(Output::Results(Box::new(Results::new(channel, hypothesis, false, received))));
                }
                Event::Final(hypothesis) => {
                    note_word(&mut self.last_word_end, self.told, hypothesis);
                    let mut results = Results::new(channel, hypothesis, true, received);
                    results.hits = settings.search.iter().map(|search| search.in_hypothesis(hypothesis)).collect();
                    self.covered = results.end;
                    let last = hypothesis.from_finalize();
                    flushed |= last;
                    results.from_finalize = last && flush == Flush::Finalize;
                    // The end of the stream ends its last utterance too.
                    results.speech_final |= last && flush == Flush::Finish;
                    send(Output::Results(Box::new(results)));
                }
                _ => {}
            }
        }
        // A client that asked for a flush waits for the answer, also when nothing was left to say.
        if flush == Flush::Finalize && !flushed {
            let (start, end) = (self.covered, self.stream.position());
            self.covered = end;
            send(Output::Results(Box::new(Results::empty(channel, start, end, received))));
        }
        // What was pushed and not decoded yet may still hold a word.
        let heard = self.stream.position().saturating_sub(self.stream.chunk());
        if let (Some(gap), Some(last_word_end)) = (settings.utterance_end, self.last_word_end)
            && flush != Flush::Finish
            && heard >= last_word_end + gap
        {
            self.told = self.last_word_end.take();
            send(Output::UtteranceEnd { channel, last_word_end });
        }
    }
}

fn note_word(last_word_end: &mut Option<Duration>, told: Option<Duration>, hypothesis: &Hypothesis) {
    if let Some(word) = hypothesis.words().last()
        && told.is_none_or(|told| word.start >= told)
    {
        *last_word_end = Some(word.end);
    }
}

impl Results {
    fn new(channel: Channel, hypothesis: &Hypothesis, is_final: bool, received: Instant) -> Self {
        let words = match hypothesis.written() {
            Some(written) => written
                .words()
                .iter()
                .map(|word| Word {
                    word: written.word_text(word).to_owned(),
                    start: word.start,
                    end: word.end,
                    confidence: word.confidence,
                    formatted: true,
                    speaker: hypothesis.words().get(word.source.start).and_then(|word| word.speaker),
                })
                .collect(),
            None => hypothesis
                .words()
                .iter()
                .map(|word| Word {
                    word: hypothesis.word_text(word).to_owned(),
                    start: word.start,
                    end: word.end,
                    confidence: word.confidence,
                    formatted: false,
                    speaker: word.speaker,
                })
                .collect(),
        };
        Self {
            channel,
            start: hypothesis.start(),
            end: hypothesis.end(),
            is_final,
            speech_final: is_final && hypothesis.speech_final(),
            from_finalize: false,
            transcript: hypothesis.written().map_or(hypothesis.text(), |written| written.text()).to_owned(),
            confidence: hypothesis.confidence(),
            words,
            hits: Vec::new(),
            received,
        }
    }

    fn empty(channel: Channel, start: Duration, end: Duration, received: Instant) -> Self {
        Self {
            channel,
            start,
            end,
            is_final: true,
            speech_final: false,
            from_finalize: true,
            transcript: String::new(),
            confidence: 0.0,
            words: Vec::new(),
            hits: Vec::new(),
            received,
        }
    }
}
