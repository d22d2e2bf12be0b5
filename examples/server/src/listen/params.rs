//! The query of a request for recognition.
//!
//! What the engine can honour is honoured. What it can't is refused when the client would get something else than it
//! asked for, and answered with a warning when it gets the same words without an ornament.

use std::time::Duration;

use linnet::{
    AudioFormat, FormatConfig, Hotword, ModelInfo, SpeakerConfig, StreamConfig, audio::resample::RATES_HZ,
    transcript::search::Search,
};
use serde::Serialize;

use crate::{audio::RawEncoding, recognition::Settings};

/// Shortest pause that ends an utterance. Words are placed to a frame or two, and gaps inside of a phrase are shorter
/// than this; the protocol's default of 10 ms means "as soon as there is a pause".
const SHORTEST_PAUSE: Duration = Duration::from_millis(300);

/// Most channels, as documented for the protocol.
const MAX_CHANNELS: u16 = 20;

/// Most phrases to look for and to replace, as documented for the protocol.
const MAX_SEARCHES: usize = 50;
const MAX_REPLACEMENTS: usize = 200;

/// Most phrases to boost, and the largest boost that the engine takes.
const MAX_HOTWORDS: usize = 500;
const MAX_PHRASE: usize = 200;
const MAX_BOOST: f32 = 20.0;

/// Longest utterance of a recording.
const LONGEST_RECORDED_UTTERANCE: Duration = Duration::from_secs(60);

/// Most bytes that are echoed of a parameter.
const ECHO: usize = 64;

/// Parameters that need no action: labels, choices of the service, and defaults.
const IGNORED: [&str; 8] =
    ["mip_opt_out", "no_delay", "version", "tag", "model", "diarize_model", "token", "access_token"];

/// Parameters that change how words are written.
const ORNAMENTS: [&str; 2] = ["dictation", "measurements"];

/// Parameters that change which words come out, when they are not `false`.
const UNSUPPORTED: [&str; 14] = [
    "alternatives",
    "callback",
    "callback_method",
    "custom_intent",
    "custom_intent_mode",
    "custom_topic",
    "custom_topic_mode",
    "detect_entities",
    "detect_language",
    "detect_topics",
    "intents",
    "sentiment",
    "summarize",
    "topics",
];

/// What a request asks for.
#[derive(Clone, Debug)]
pub struct Params {
    /// How the audio is recognized.
    pub settings: Settings,
    /// Send interim results.
    pub interim_results: bool,
    /// Send where speech starts.
    pub vad_events: bool,
    /// Gap between words that ends an utterance of a recording; `None` for no utterances.
    pub utterances: Option<Duration>,
    /// Group the words of a recording to paragraphs.
    pub paragraphs: bool,
    /// Pairs to give back with the results.
    pub extra: Vec<(String, String)>,
    /// Labels to give back with the results.
    pub tags: Vec<String>,
    /// What is not done as asked.
    pub warnings: Vec<Warning>,
}

/// A parameter that is not honoured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// Its name.
    pub parameter: String,
    /// Kind of the warning.
    pub r#type: &'static str,
    /// What happens instead.
    pub message: String,
}

/// Why a query is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParamError {
    /// The value is not one that the parameter has.
    #[error("{name}={value}: {expected}")]
    Value {
        /// The parameter.
        name: String,
        /// Its value.
        value: String,
        /// What it takes.
        expected: String,
    },
    /// Another parameter is needed.
    #[error("{name} needs {needs}")]
    Needs {
        /// The parameter.
        name: &'static str,
        /// What is missing.
        needs: &'static str,
    },
    /// The engine can't do it.
    #[error("{name} is not supported by this server; leave it out")]
    Unsupported {
        /// The parameter.
        name: String,
    },
}

/// Kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Over a WebSocket.
    Live,
    /// In the body of a POST.
    Recording,
}

/// Name-value pairs of a query, in order.
struct Query(Vec<(String, String)>);

impl Query {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn flag(&self, name: &str) -> Result<bool, ParamError> {
        let Some(value) = self.get(name) else { return Ok(false) };
        if value.eq_ignore_ascii_case("true") {
            Ok(true)
        } else if value.eq_ignore_ascii_case("false") {
            Ok(false)
        } else {
            Err(bad(name, value, "expected true or false"))
        }
    }

    fn number(&self, name: &str) -> Result<Option<u32>, ParamError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| bad(name, value, "expected a whole number"))
    }
}

fn bad(name: &str, value: &str, expected: impl Into<String>) -> ParamError {
    ParamError::Value { name: clip(name), value: clip(value), expected: expected.into() }
}

fn clip(text: &str) -> String {
    let clipped: String = text.chars().take(ECHO).filter(|c| !c.is_control()).collect();
    clipped
}

impl Params {
    /// Reads a query string.
    ///
    /// # Errors
    /// [`ParamError`] that names the parameter.
    pub fn parse(query: &str, kind: Kind, model: &ModelInfo) -> Result<Self, ParamError> {
        let query = Query(form_urlencoded::parse(query.as_bytes()).into_owned().collect());
        let mut warnings = unsupported(&query)?;
        check_language(&query, model)?;
        let raw = raw_format(&query, kind)?;
        let multichannel = query.flag("multichannel")?;
        let interim_results = query.flag("interim_results")?;
        let utterance_end = match query.get("utterance_end_ms") {
            None => None,
            Some(value) if value.eq_ignore_ascii_case("false") => None,
            Some(_) if !interim_results && kind == Kind::Live => {
                return Err(ParamError::Needs { name: "utterance_end_ms", needs: "interim_results=true" });
            }
            Some(_) => query.number("utterance_end_ms")?.map(|ms| Duration::from_millis(ms.into())),
        };
        let endpointing = endpointing(&query)?;
        let mut stream = match kind {
            Kind::Live => StreamConfig::default(),
            Kind::Recording => StreamConfig::batch(AudioFormat::default()),
        };
        match kind {
            Kind::Live => {
                stream.endpointing = endpointing;
                // The protocol's pause is the one that was asked for, whatever was said before it.
                stream.adaptive_endpointing = false;
                stream.unfinished_pause = Duration::ZERO;
                // Ends of utterances are found by the words, which only interims tell in time.
                stream.interim_results = interim_results;
            }
            Kind::Recording => stream.max_utterance = LONGEST_RECORDED_UTTERANCE,
        }
        stream.format = format(&query)?;
        stream.speakers = speakers(&query, model)?;
        let search: Vec<Search> = query.all("search").map(Search::new).collect();
        if search.len() > MAX_SEARCHES {
            return Err(bad("search", "", format!("expected at most {MAX_SEARCHES} phrases")));
        }
        let utt_split = utterance_split(&query)?;
        stream.hotwords = hotwords(&query, &mut warnings)?;
        Ok(Self {
            settings: Settings { raw, multichannel, stream, utterance_end, search },
            interim_results,
            vad_events: query.flag("vad_events")?,
            utterances: query.flag("utterances")?.then_some(utt_split),
            paragraphs: query.flag("paragraphs")?,
            extra: query
                .all("extra")
                .map(|pair| pair.split_once(':').unwrap_or((pair, "")))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
            tags: query.all("tag").map(str::to_owned).collect(),
            warnings,
        })
    }
}

/// `diarize=true`. The protocol has no number of speakers.
fn speakers(query: &Query, model: &ModelInfo) -> Result<Option<SpeakerConfig>, ParamError> {
    match query.flag("diarize")? {
        false => Ok(None),
        true if model.speakers => Ok(Some(SpeakerConfig::default())),
        true => Err(ParamError::Unsupported { name: "diarize".into() }),
    }
}

/// `keyterm=PHRASE` and `keywords=WORD[:BOOST]`.
fn hotwords(query: &Query, warnings: &mut Vec<Warning>) -> Result<Vec<Hotword>, ParamError> {
    let terms = query.all("keyterm").filter(|term| !term.trim().is_empty());
    let mut hotwords: Vec<Hotword> = terms.map(Hotword::new).collect();
    for keyword in query.all("keywords") {
        let (word, boost) = match keyword.rsplit_once(':') {
            None => (keyword, Hotword::DEFAULT_BOOST),
            Some((word, boost)) => match boost.parse::<f32>() {
                Ok(boost) if boost.is_finite() => (word, boost),
                _ => return Err(bad("keywords", keyword, "expected WORD or WORD:BOOST")),
            },
        };
        if boost > 0.0 {
            hotwords.push(Hotword::new(word).with_boost(boost.min(MAX_BOOST)));
        } else {
            warnings.push(warning("keywords", "is ignored with a boost of zero or less: words are not made unlikely"));
        }
    }
    check_hotwords(hotwords)
}

fn check_hotwords(hotwords: Vec<Hotword>) -> Result<Vec<Hotword>, ParamError> {
    if hotwords.len() > MAX_HOTWORDS {
        return Err(bad("keyterm", "", format!("expected at most {MAX_HOTWORDS} phrases")));
    }
    if let Some(long) = hotwords.iter().find(|hotword| hotword.phrase.len() > MAX_PHRASE) {
        return Err(bad("keyterm", &long.phrase, format!("expected at most {MAX_PHRASE} bytes in a phrase")));
    }
    Ok(hotwords)
}

/// The phrases of a `Configure`, which take the place of those of the query.
///
/// # Errors
/// When there are too many, or one is too long.
pub fn keyterm_hotwords(terms: &[String]) -> Result<Vec<Hotword>, ParamError> {
    check_hotwords(terms.iter().filter(|term| !term.trim().is_empty()).map(Hotword::new).collect())
}

fn warning(name: &str, what: &str) -> Warning {
    Warning { parameter: name.into(), r#type: "unsupported_parameter", message: format!("{name} {what}") }
}

/// Refuses what can't be done, and warns of what is left out.
fn unsupported(query: &Query) -> Result<Vec<Warning>, ParamError> {
    let mut warnings = Vec::new();
    for (name, value) in &query.0 {
        let off = value.eq_ignore_ascii_case("false");
        let name = name.as_str();
        if UNSUPPORTED.contains(&name) && !off {
            if name == "alternatives" && value == "1" {
                continue;
            }
            return Err(ParamError::Unsupported { name: name.into() });
        }
        if ORNAMENTS.contains(&name) && query.flag(name)? {
            warnings.push(warning(name, "is ignored: it does nothing here"));
        } else if name == "filler_words" && query.flag(name)? {
            warnings.push(warning(name, "is ignored: the model decides which of them it writes"));
        } else if !KNOWN.contains(&name) && !IGNORED.contains(&name) && !UNSUPPORTED.contains(&name) {
            warnings.push(warning(&clip(name), "is not known to this server"));
        }
    }
    Ok(warnings)
}

/// Parameters that are honoured.
const KNOWN: [&str; 28] = [
    "channels",
    "diarize",
    "dictation",
    "encoding",
    "endpointing",
    "extra",
    "filler_words",
    "interim_results",
    "keyterm",
    "keywords",
    "language",
    "measurements",
    "multichannel",
    "numerals",
    "paragraphs",
    "profanity_filter",
    "punctuate",
    "redact",
    "replace",
    "sample_rate",
    "search",
    "smart_format",
    "utt_split",
    "utterance_end_ms",
    "utterances",
    "vad_events",
    "vad_turnoff",
    "channel",
];

fn check_language(query: &Query, model: &ModelInfo) -> Result<(), ParamError> {
    let Some(language) = query.get("language") else { return Ok(()) };
    let primary = |tag: &str| tag.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
    if primary(language) == primary(&model.language) {
        Ok(())
    } else {
        Err(bad("language", language, format!("the model of this server recognizes {}", model.language)))
    }
}

#[cfg_attr(not(feature = "opus"), expect(unused_variables, reason = "only Opus comes in two ways"))]
fn raw_format(query: &Query, kind: Kind) -> Result<Option<(RawEncoding, AudioFormat)>, ParamError> {
    let channels = match query.number("channels")? {
        None => 1,
        Some(channels) => match u16::try_from(channels) {
            Ok(channels) if (1..=MAX_CHANNELS).contains(&channels) => channels,
            _ => return Err(bad("channels", &channels.to_string(), format!("expected 1 to {MAX_CHANNELS}"))),
        },
    };
    let rate_hz = query.number("sample_rate")?;
    if let Some(rate_hz) = rate_hz
        && !RATES_HZ.contains(&rate_hz)
    {
        let expected = format!("expected {} to {} Hz", RATES_HZ.start(), RATES_HZ.end());
        return Err(bad("sample_rate", &rate_hz.to_string(), expected));
    }
    let encoding = match query.get("encoding") {
        // A file tells its own layout.
        None | Some("flac") => return Ok(None),
        // A recording has no messages that could each be a packet.
        #[cfg(feature = "opus")]
        Some("ogg-opus") => return Ok(None),
        #[cfg(feature = "opus")]
        Some("opus") if kind == Kind::Recording => return Ok(None),
        #[cfg(feature = "opus")]
        Some("opus") => return opus_format(rate_hz, channels).map(Some),
        Some("linear16") => RawEncoding::Linear16,
        Some("linear32") => RawEncoding::Linear32,
        Some("mulaw") => RawEncoding::MuLaw,
        Some("alaw") => RawEncoding::ALaw,
        Some(other) => {
            return Err(bad("encoding", other, ENCODINGS));
        }
    };
    let Some(rate_hz) = rate_hz else {
        return Err(ParamError::Needs { name: "encoding", needs: "sample_rate" });
    };
    Ok(Some((encoding, AudioFormat { rate_hz, channels })))
}

/// What `encoding` takes.
const ENCODINGS: &str = if cfg!(feature = "opus") {
    "expected linear16, linear32, mulaw, alaw, flac, opus or ogg-opus, or none for a WAV, FLAC, MP3, Ogg or WebM file"
} else {
    "expected linear16, linear32, mulaw, alaw or flac, or none for a WAV, FLAC, MP3 or Ogg Vorbis file"
};

/// Packets of Opus are decoded to the rate that is asked for, whatever they were made from.
#[cfg(feature = "opus")]
fn opus_format(rate_hz: Option<u32>, channels: u16) -> Result<(RawEncoding, AudioFormat), ParamError> {
    use linnet::audio::opus::OPUS_RATES_HZ;
    let rate_hz = rate_hz.unwrap_or(48_000);
    if !OPUS_RATES_HZ.contains(&rate_hz) {
        return Err(bad("sample_rate", &rate_hz.to_string(), format!("Opus has one of {OPUS_RATES_HZ:?} Hz")));
    }
    if channels > 2 {
        return Err(bad("channels", &channels.to_string(), "packets of Opus have 1 or 2"));
    }
    Ok((RawEncoding::Opus, AudioFormat { rate_hz, channels }))
}

fn endpointing(query: &Query) -> Result<Option<Duration>, ParamError> {
    match query.get("endpointing") {
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(None),
        None => Ok(Some(SHORTEST_PAUSE)),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(Some(SHORTEST_PAUSE)),
        Some(value) => match value.parse::<u32>() {
            Ok(ms) => Ok(Some(Duration::from_millis(ms.into()).max(SHORTEST_PAUSE))),
            Err(_) => Err(bad("endpointing", value, "expected milliseconds or false")),
        },
    }
}

/// How words are written.
fn format(query: &Query) -> Result<FormatConfig, ParamError> {
    let mut format = FormatConfig::default();
    format.numerals = query.flag("numerals")?;
    format.smart = query.flag("smart_format")?;
    format.punctuate = query.flag("punctuate")? || format.smart;
    format.profanity_filter = query.flag("profanity_filter")?;
    for pair in query.all("replace") {
        let (find, with) = pair.split_once(':').unwrap_or((pair, ""));
        if find.trim().is_empty() {
            return Err(bad("replace", pair, "expected WORDS:OTHER WORDS"));
        }
        format.replace.push((find.to_owned(), with.to_owned()));
    }
    if format.replace.len() > MAX_REPLACEMENTS {
        return Err(bad("replace", "", format!("expected at most {MAX_REPLACEMENTS} of them")));
    }
    for what in query.all("redact") {
        match what.to_ascii_lowercase().as_str() {
            "false" => {}
            "true" | "numbers" => format.redact.numbers = true,
            "aggressive_numbers" => format.redact.all_numbers = true,
            "pci" => format.redact.cards = true,
            "ssn" => format.redact.ssn = true,
            _ => return Err(bad("redact", what, "expected true, numbers, aggressive_numbers, pci or ssn")),
        }
    }
    Ok(format)
}

/// Changes how words are written, as a client wants it in mid-stream. Returns the name of the first feature that can't
/// be changed; nothing is changed then.
pub fn change_format<'a>(
    format: &mut FormatConfig,
    features: impl Iterator<Item = (&'a str, Option<bool>)>,
) -> Result<(), &'a str> {
    let mut changed = format.clone();
    for (name, value) in features {
        let Some(value) = value else { return Err(name) };
        match name {
            "numerals" => changed.numerals = value,
            "punctuate" => changed.punctuate = value,
            "profanity_filter" => changed.profanity_filter = value,
            "smart_format" => {
                changed.smart = value;
                changed.punctuate |= value;
            }
            _ => return Err(name),
        }
    }
    *format = changed;
    Ok(())
}

fn utterance_split(query: &Query) -> Result<Duration, ParamError> {
    let Some(value) = query.get("utt_split") else { return Ok(Duration::from_millis(800)) };
    match value.parse::<f64>() {
        Ok(seconds) if (0.0..=3600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err(bad("utt_split", value, "expected seconds")),
    }
}

#[cfg(test)]
mod tests;
