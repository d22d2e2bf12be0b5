//! The weights, shared by all streams.

use std::{path::Path, sync::Arc, time::Duration};

use super::{AudioFormat, Error, Event, Stream, StreamConfig};
#[cfg(feature = "reference")]
use crate::model::{
    encoder::{
        EncoderError,
        reference::{ReferenceEncoder, ReferenceWeights},
    },
    head::ReferenceHead,
    open::open_checkpoint,
    pack::pack,
};
use crate::{
    decode::{Grammar, GrammarError, Hotword, Hotwords, LanguageModel, NgramError, Speller},
    endpoint::Network,
    model::{
        config::ModelConfig,
        encoder::{
            Encoder,
            int8::{Int8Encoder, Int8Weights},
        },
        file::ModelFile,
        head::{Int8Head, TransducerHead},
        language_network::LanguageNetwork,
        open::open_any,
        tokens::Tokens,
    },
    nn::Isa,
    speaker::{self, Diarizer, SpeakerConfig},
    transcript::Hypothesis,
};

/// A model that is ready to recognize. Cloning shares it; it is immutable, `Send` and `Sync`.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    config: ModelConfig,
    tokens: Arc<Tokens>,
    encoder: EncoderWeights,
    head: Box<dyn TransducerHead>,
    endpointing: Option<Arc<Network>>,
    speakers: Option<Arc<speaker::Network>>,
    language_model: Option<LanguageModel>,
    info: ModelInfo,
}

enum EncoderWeights {
    Int8(Arc<Int8Weights>),
    #[cfg(feature = "reference")]
    Reference(Arc<ReferenceWeights>),
}

/// Facts about an opened model.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ModelInfo {
    /// Name of the model.
    pub name: String,
    /// Language as a BCP 47 tag.
    pub language: String,
    /// Number of weights.
    pub parameters: u64,
    /// Size in bytes of the packed model.
    pub size_bytes: usize,
    /// Rate at which the model takes audio; streams convert to it.
    pub sample_rate_hz: u32,
    /// Tokens without the blank.
    pub vocab_size: usize,
    /// Duration of an encoder frame.
    pub frame: Duration,
    /// Look-aheads to choose from, in encoder frames; a chunk is one frame longer.
    pub look_aheads: Vec<usize>,
    /// The look-ahead of a stream that does not choose.
    pub default_look_ahead: usize,
    /// Left context of the attention in encoder frames.
    pub left_context: usize,
    /// Whether the model has an endpointing network.
    pub endpointing: bool,
    /// Whether the model has a speaker network.
    pub speakers: bool,
    /// N-grams of the language model that it holds; 0 without one.
    pub ngrams: usize,
    /// Whether it holds a language network, which counts beside the n-grams.
    pub language_network: bool,
    /// Instruction set of the kernels; `None` for the f32 reference.
    pub isa: Option<Isa>,
}

impl ModelInfo {
    fn new(config: &ModelConfig, parameters: u64, size_bytes: usize, isa: Option<Isa>) -> Self {
        let samples = (config.features.hop * config.encoder.subsampling) as u64;
        Self {
            name: config.name.clone(),
            language: config.language.clone(),
            parameters,
            size_bytes,
            sample_rate_hz: config.features.sample_rate_hz,
            vocab_size: config.vocab_size,
            frame: Duration::from_micros(samples * 1_000_000 / u64::from(config.features.sample_rate_hz)),
            look_aheads: config.encoder.look_aheads.clone(),
            default_look_ahead: config.encoder.default_look_ahead,
            left_context: config.encoder.left_context,
            endpointing: config.endpoint.is_some(),
            speakers: config.speaker.is_some(),
            ngrams: config.language_model.as_ref().map_or(0, |model| model.nodes - 1),
            language_network: config.language_network.is_some(),
            isa,
        }
    }

    /// Chunk durations to choose from, ascending.
    pub fn chunks(&self) -> impl Iterator<Item = Duration> + '_ {
        self.look_aheads.iter().map(|&frames| self.frame * (frames as u32 + 1))
    }
}

impl Engine {
    /// Opens a model: a `.linnet` file is mapped into memory; with the feature `reference` also a training checkpoint
    /// or a NVIDIA `.nemo` file, which is quantized on the way.
    ///
    /// # Errors
    /// [`Error::Model`] when the file can't be read, is no model, is damaged, or is of a newer format.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Error> {
        Self::new(&open_any(path)?)
    }

    /// Opens a packed model that is part of the program.
    ///
    /// # Errors
    /// [`Error::Model`] as [`Engine::open`].
    pub fn from_static(bytes: &'static [u8]) -> Result<Self, Error> {
        Self::new(&ModelFile::from_static(bytes)?)
    }

    /// Opens a packed model held in memory.
    ///
    /// # Errors
    /// [`Error::Model`] as [`Engine::open`].
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, Error> {
        Self::new(&ModelFile::from_bytes(bytes)?)
    }

    fn new(file: &ModelFile) -> Result<Self, Error> {
        let isa = Isa::detect();
        let config = file.config().clone();
        let encoder = Int8Weights::load(file, &config.encoder)?;
        let head = Int8Head::load(file, &config)?;
        let endpointing = load_endpointing(file)?;
        let speakers = load_speakers(file)?;
        let language_network = load_language_network(file)?;
        Ok(Self(Arc::new(Inner {
            tokens: Arc::new(file.tokens().clone()),
            encoder: EncoderWeights::Int8(Arc::new(encoder)),
            head: Box::new(head),
            endpointing,
            speakers,
            language_model: file
                .ngrams()
                .cloned()
                .map(|ngrams| LanguageModel::new(ngrams).with_network(language_network)),
            info: ModelInfo::new(&config, file.parameters(), file.size_bytes(), Some(isa)),
            config,
        })))
    }

    /// Opens a training checkpoint or `.nemo` file with the f32 reference implementation: slow, and exact.
    ///
    /// # Errors
    /// [`Error::Model`] as [`Engine::open`].
    #[cfg(feature = "reference")]
    pub fn open_reference(path: impl AsRef<Path>) -> Result<Self, Error> {
        let checkpoint = open_checkpoint(path)?;
        let config = checkpoint.config.clone();
        let weights = checkpoint.var_builder().map_err(EncoderError::from)?;
        let encoder = ReferenceWeights::load(weights.clone(), &config.encoder).map_err(EncoderError::from)?;
        let head = ReferenceHead::load(weights, &config).map_err(EncoderError::from)?;
        let parameters = checkpoint.parameters() as u64;
        // The small networks have one implementation, with int8 weights.
        let has_networks = config.endpoint.is_some() || config.speaker.is_some() || config.language_network.is_some();
        let (endpointing, speakers, language_network) = if has_networks {
            let file = ModelFile::from_bytes(pack(&checkpoint)?)?;
            (load_endpointing(&file)?, load_speakers(&file)?, load_language_network(&file)?)
        } else {
            (None, None, None)
        };
        Ok(Self(Arc::new(Inner {
            tokens: Arc::new(checkpoint.tokens.clone()),
            encoder: EncoderWeights::Reference(Arc::new(encoder)),
            head: Box::new(head),
            endpointing,
            speakers,
            language_model: checkpoint.ngrams.map(|ngrams| LanguageModel::new(ngrams).with_network(language_network)),
            info: ModelInfo::new(&config, parameters, 4 * parameters as usize, None),
            config,
        })))
    }

    /// Facts about the model.
    pub fn info(&self) -> &ModelInfo {
        &self.0.info
    }

    /// Compiles phrases to listen for, which any number of streams can share: see
    /// [`Stream::set_hotwords`](super::Stream::set_hotwords).
    pub fn hotwords(&self, hotwords: &[Hotword]) -> Hotwords {
        Hotwords::new(hotwords, self.0.tokens.clone())
    }

    /// Compiles a grammar of what can be said, which any number of streams can share. It is written in a subset of JSGF:
    /// see `engine/src/decode/README.md`.
    ///
    /// # Errors
    /// When the source is no grammar, is too large, or has a word that the model can't write.
    pub fn grammar(&self, source: &str) -> Result<Grammar, GrammarError> {
        Grammar::new(source, &self.0.tokens)
    }

    /// Reads an n-gram model whose words are the pieces of this model, which any number of streams can share: an ARPA file
    /// or the compact form of it. `linnet lm` makes either.
    ///
    /// # Errors
    /// When the source is neither, or of other pieces.
    pub fn language_model(&self, source: impl AsRef<[u8]>) -> Result<LanguageModel, NgramError> {
        LanguageModel::read(source.as_ref(), &self.0.tokens)
    }

    /// The n-gram model in the model file, with which streams start ([`StreamConfig::language_model`]).
    pub fn built_in_language_model(&self) -> Option<&LanguageModel> {
        self.0.language_model.as_ref()
    }

    /// Spells texts in the pieces of the model.
    pub fn speller(&self) -> Speller {
        Speller::new(&self.0.tokens)
    }

    /// Starts a stream.
    ///
    /// # Errors
    /// [`Error::Audio`] when the rate or the number of channels is not one that can be converted.
    pub fn stream(&self, config: StreamConfig) -> Result<Stream, Error> {
        Stream::new(self.clone(), config)
    }

    /// Recognizes a whole recording (interleaved samples in -1..1) in the longest chunks.
    ///
    /// # Errors
    /// [`Error::Audio`] as [`Engine::stream`].
    pub fn transcribe(&self, samples: &[f32], format: AudioFormat) -> Result<Hypothesis, Error> {
        let mut stream = self.stream(StreamConfig::batch(format))?;
        stream.push_f32(samples)?;
        stream.finish()?;
        while let Some(event) = stream.poll() {
            if let Event::Final(hypothesis) = event {
                return Ok(hypothesis.clone());
            }
        }
        Ok(Hypothesis::default())
    }

    /// Tells who speaks when in a stream of audio, without recognizing words. `None` when the model has no speaker
    /// network.
    ///
    /// # Errors
    /// [`Error::Audio`] as [`Engine::stream`].
    pub fn diarizer(&self, format: AudioFormat, config: &SpeakerConfig) -> Result<Option<Diarizer>, Error> {
        let Some(network) = self.speakers() else { return Ok(None) };
        Diarizer::new(network.clone(), &self.config().features, format, config).map(Some)
    }

    /// The look-ahead whose chunk is nearest to `chunk`; of two equally near ones the shorter.
    pub(super) fn look_ahead_for(&self, chunk: Option<Duration>) -> usize {
        let info = self.info();
        let Some(asked) = chunk else { return info.default_look_ahead };
        info.look_aheads
            .iter()
            .copied()
            .min_by_key(|&frames| (info.frame * (frames as u32 + 1)).abs_diff(asked))
            .unwrap_or(info.default_look_ahead)
    }

    pub(super) fn longest_look_ahead(&self) -> usize {
        let info = self.info();
        info.look_aheads.iter().copied().max().unwrap_or(info.default_look_ahead)
    }

    pub(super) fn new_encoder(&self, look_ahead: usize) -> Result<Box<dyn Encoder>, Error> {
        let mut encoder: Box<dyn Encoder> = match &self.0.encoder {
            EncoderWeights::Int8(weights) => Box::new(Int8Encoder::new(weights.clone())?),
            #[cfg(feature = "reference")]
            EncoderWeights::Reference(weights) => {
                Box::new(ReferenceEncoder::new(weights.clone()).map_err(EncoderError::from)?)
            }
        };
        encoder.set_look_ahead(look_ahead)?;
        Ok(encoder)
    }

    pub(super) fn config(&self) -> &ModelConfig {
        &self.0.config
    }

    /// The pieces that the model writes.
    pub fn tokens(&self) -> &Arc<Tokens> {
        &self.0.tokens
    }

    pub(super) fn endpointing(&self) -> Option<&Arc<Network>> {
        self.0.endpointing.as_ref()
    }

    pub(super) fn speakers(&self) -> Option<&Arc<speaker::Network>> {
        self.0.speakers.as_ref()
    }

    pub(super) fn head(&self) -> &dyn TransducerHead {
        self.0.head.as_ref()
    }
}

/// The endpointing network of a model that has one.
fn load_endpointing(file: &ModelFile) -> Result<Option<Arc<Network>>, Error> {
    let config = file.config();
    let Some(endpoint) = &config.endpoint else { return Ok(None) };
    Ok(Some(Arc::new(Network::load(file, endpoint, config.features.mel_bins)?)))
}

/// The language network of a model that has one.
fn load_language_network(file: &ModelFile) -> Result<Option<Arc<LanguageNetwork>>, Error> {
    let config = file.config();
    let Some(network) = &config.language_network else { return Ok(None) };
    Ok(Some(Arc::new(LanguageNetwork::load(file, network, config)?)))
}

/// The speaker network of a model that has one.
fn load_speakers(file: &ModelFile) -> Result<Option<Arc<speaker::Network>>, Error> {
    let config = file.config();
    let Some(network) = &config.speaker else { return Ok(None) };
    Ok(Some(Arc::new(speaker::Network::load(file, network, config.features.mel_bins)?)))
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Engine").field(self.info()).finish()
    }
}
