//! What the server sends, in the names of the protocol.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use linnet::transcript::search::{Hit, Search};
use serde::Serialize;

use super::params::Warning;
use crate::{
    auth::hex,
    recognition::{Channel, Results, Summary, Word},
};

/// What the server sends.
#[derive(Debug, Serialize)]
#[serde(tag = "type")]
pub enum ServerMessage<'a> {
    /// Words.
    Results(Box<LiveResults<'a>>),
    /// Speech began.
    SpeechStarted {
        /// Index and count.
        channel: [usize; 2],
        /// Seconds.
        timestamp: f64,
    },
    /// No word came for a while.
    UtteranceEnd {
        /// Index and count.
        channel: [usize; 2],
        /// Seconds.
        last_word_end: f64,
    },
    /// A `Configure` was carried out.
    ConfigureSuccess {
        /// Of this connection.
        request_id: &'a str,
    },
    /// A `Configure` was not carried out, no part of it.
    ConfigureFailure {
        /// Of this connection.
        request_id: &'a str,
        /// One of the protocol's.
        code: &'a str,
        /// For people.
        description: &'a str,
    },
    /// A text message that is none of the protocol's.
    Error {
        /// Kind.
        variant: &'a str,
        /// For people.
        description: &'a str,
        /// The start of what was sent.
        message: &'a str,
    },
    /// The last message.
    Metadata(Metadata<'a>),
}

/// The words of a part of a live stream.
#[derive(Debug, Serialize)]
pub struct LiveResults<'a> {
    channel_index: [usize; 2],
    start: f64,
    duration: f64,
    is_final: bool,
    speech_final: bool,
    from_finalize: bool,
    channel: LiveChannel<'a>,
    metadata: ResultMetadata<'a>,
}

#[derive(Debug, Serialize)]
struct LiveChannel<'a> {
    alternatives: [Alternative<'a>; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    search: Vec<SearchResult<'a>>,
}

/// Where a phrase may have been said.
#[derive(Debug, Serialize)]
pub struct SearchResult<'a> {
    /// The phrase.
    pub query: &'a str,
    /// In the order of time.
    pub hits: Vec<WireHit<'a>>,
}

/// A place, in seconds.
#[derive(Debug, Serialize)]
pub struct WireHit<'a> {
    confidence: f32,
    start: f64,
    end: f64,
    snippet: &'a str,
}

impl<'a> From<&'a Hit> for WireHit<'a> {
    fn from(hit: &'a Hit) -> Self {
        Self { confidence: hit.confidence, start: seconds(hit.start), end: seconds(hit.end), snippet: &hit.snippet }
    }
}

/// One reading of what was said.
#[derive(Debug, Serialize)]
pub struct Alternative<'a> {
    /// The words, separated by spaces.
    pub transcript: &'a str,
    /// Mean of the words'.
    pub confidence: f32,
    /// With times.
    pub words: Vec<WireWord<'a>>,
}

/// A word with its times in seconds.
#[derive(Clone, Debug, Serialize)]
pub struct WireWord<'a> {
    word: Cow<'a, str>,
    start: f64,
    end: f64,
    confidence: f32,
    #[serde(skip_serializing_if = "Option::is_none")]
    punctuated_word: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    speaker: Option<u8>,
}

#[derive(Debug, Serialize)]
struct ResultMetadata<'a> {
    request_id: &'a str,
    model_uuid: &'a str,
    model_info: ModelCard<'a>,
}

/// The model in the words of the protocol.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ModelCard<'a> {
    /// Its name.
    pub name: &'a str,
    /// Version of the server.
    pub version: &'a str,
    /// Its kind.
    pub arch: &'a str,
}

/// Facts about a request.
#[derive(Debug, Serialize)]
pub struct Metadata<'a> {
    /// Always "deprecated".
    pub transaction_key: &'static str,
    /// Of this request.
    pub request_id: &'a str,
    /// Of the audio as received.
    pub sha256: String,
    /// When the request came.
    pub created: String,
    /// Seconds of audio.
    pub duration: f64,
    /// Channels recognized on their own.
    pub channels: usize,
    /// Identifiers of the models.
    pub models: [&'a str; 1],
    /// The models by identifier.
    pub model_info: std::collections::BTreeMap<&'a str, ModelCard<'a>>,
    /// Labels of the request.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub tags: &'a [String],
    /// Pairs of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub extra: Option<std::collections::BTreeMap<&'a str, &'a str>>,
    /// What was not done as asked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
}

/// What all messages of a request have in common.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its identifier.
    pub id: String,
    /// When it came.
    pub created: SystemTime,
    /// Identifier of the model.
    pub model_id: String,
    /// Name of the model.
    pub model_name: String,
}

impl Request {
    fn card(&self) -> ModelCard<'_> {
        ModelCard { name: &self.model_name, version: env!("CARGO_PKG_VERSION"), arch: "linnet" }
    }

    /// The closing facts.
    pub fn metadata<'a>(
        &'a self,
        summary: &Summary,
        tags: &'a [String],
        extra: &'a [(String, String)],
        warnings: &[Warning],
    ) -> Metadata<'a> {
        let mut warnings = warnings.to_vec();
        if let Some(damage) = &summary.damage {
            warnings.push(Warning {
                parameter: "audio".into(),
                r#type: "damaged_audio",
                message: format!("the audio is damaged: {damage}"),
            });
        }
        warnings.extend(summary.rejected.iter().map(|rejected| Warning {
            parameter: "keyterm".into(),
            r#type: "rejected_phrase",
            message: format!("a phrase is not listened for: {rejected}"),
        }));
        Metadata {
            transaction_key: "deprecated",
            request_id: &self.id,
            sha256: hex(&summary.digest),
            created: humantime::format_rfc3339_millis(self.created).to_string(),
            duration: seconds(summary.duration),
            channels: summary.channels,
            models: [&self.model_id],
            model_info: [(self.model_id.as_str(), self.card())].into(),
            tags,
            extra: (!extra.is_empty()).then(|| extra.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect()),
            warnings,
        }
    }

    /// The message for some words.
    pub fn results<'a>(&'a self, results: &'a Results, search: &'a [Search]) -> ServerMessage<'a> {
        ServerMessage::Results(Box::new(LiveResults {
            channel_index: pair(results.channel),
            start: seconds(results.start),
            duration: seconds(results.end.saturating_sub(results.start)),
            is_final: results.is_final,
            speech_final: results.speech_final,
            from_finalize: results.from_finalize,
            channel: LiveChannel {
                alternatives: [Alternative {
                    transcript: &results.transcript,
                    confidence: results.confidence,
                    words: results.words.iter().map(WireWord::from).collect(),
                }],
                search: search
                    .iter()
                    .zip(&results.hits)
                    .map(|(search, hits)| SearchResult {
                        query: search.query(),
                        hits: hits.iter().map(WireHit::from).collect(),
                    })
                    .collect(),
            },
            metadata: ResultMetadata { request_id: &self.id, model_uuid: &self.model_id, model_info: self.card() },
        }))
    }
}

impl<'a> From<&'a Word> for WireWord<'a> {
    fn from(word: &'a Word) -> Self {
        let written = word.word.as_str();
        Self {
            // As it would stand in the middle of a sentence.
            word: if word.formatted {
                written.trim_end_matches(['.', ',', '?', '!', ';', ':']).to_lowercase().into()
            } else {
                written.into()
            },
            start: seconds(word.start),
            end: seconds(word.end),
            confidence: word.confidence,
            punctuated_word: word.formatted.then_some(written),
            speaker: word.speaker,
        }
    }
}

/// Index and count, as the protocol writes a channel.
pub fn pair(channel: Channel) -> [usize; 2] {
    [channel.index, channel.count]
}

/// Seconds to the millisecond.
pub fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1000.0
}
