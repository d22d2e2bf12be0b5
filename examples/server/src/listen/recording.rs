//! A recording in the body of a request, recognized while it arrives.

use std::{sync::Arc, time::Instant};

use axum::{
    body::Body,
    http::{Request as HttpRequest, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt;
use linnet::transcript::search::Hit;
use serde::Serialize;
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};
use tracing::{info, warn};
use uuid::Uuid;

use super::{
    authorize,
    messages::{Alternative, Metadata, Request, SearchResult, WireHit, WireWord},
    paragraphs::{Paragraphs, paragraphs, split, text, times},
    params::{Kind, Params},
};
use crate::{
    App,
    admission::Place,
    audio::{Feed, Framing, Piece},
    error::{ApiError, json},
    pool::Class,
    recognition::{Command, Output, Recognition, Summary, Word},
};

/// Audio that may wait for an inference thread, in milliseconds. More waits in the client's socket.
const INBOX_MS: usize = 10_000;

/// The answer.
#[derive(Serialize)]
struct Answer<'a> {
    metadata: Metadata<'a>,
    results: RecordingResults<'a>,
}

#[derive(Serialize)]
struct RecordingResults<'a> {
    channels: Vec<RecordingChannel<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    utterances: Option<Vec<Utterance<'a>>>,
}

#[derive(Serialize)]
struct RecordingChannel<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    search: Vec<SearchResult<'a>>,
    alternatives: [RecordingAlternative<'a>; 1],
}

#[derive(Serialize)]
struct RecordingAlternative<'a> {
    #[serde(flatten)]
    alternative: Alternative<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    paragraphs: Option<Paragraphs>,
}

#[derive(Serialize)]
struct Utterance<'a> {
    start: f64,
    end: f64,
    confidence: f32,
    channel: usize,
    transcript: String,
    words: Vec<WireWord<'a>>,
    id: String,
}

/// Recognizes the body of a request.
pub async fn serve(app: Arc<App>, request: Request, http: HttpRequest<Body>) -> Result<Response, ApiError> {
    let client = authorize(&app, http.headers())?;
    let params = Params::parse(http.uri().query().unwrap_or_default(), Kind::Recording, app.engine.info())?;
    check_headers(&app, &http)?;
    let place = app.admission.recording(client.as_ref())?;
    let began = Instant::now();

    let (sender, outputs) = unbounded_channel();
    let recognition = Recognition::new(app.engine.clone(), params.settings.clone(), sender);
    let seat = Arc::new(app.pool.seat(Class::Background, INBOX_MS, recognition));
    let framing = params.settings.raw.map(|(encoding, format)| Framing::new(encoding, format));
    let feed = Feed::new(seat, framing).map_err(|error| ApiError::internal(error.to_string()))?;
    let ((), (channels, summary)) = tokio::try_join!(receive(&app, http.into_body(), &feed), collect(outputs, &place))?;
    drop(place);
    info!(audio = summary.duration.as_secs_f32(), seconds = began.elapsed().as_secs_f32(), "recognized");

    let transcripts: Vec<String> = channels.iter().map(|channel| text(&channel.words)).collect();
    let metadata = request.metadata(&summary, &params.tags, &params.extra, &params.warnings);
    let results = RecordingResults {
        channels: channels
            .iter()
            .zip(&transcripts)
            .map(|(channel, transcript)| answer(channel, transcript, &params))
            .collect(),
        utterances: params.utterances.map(|pause| utterances(&channels, pause)),
    };
    Ok(json(StatusCode::OK, &Answer { metadata, results }))
}

fn check_headers(app: &App, http: &HttpRequest<Body>) -> Result<(), ApiError> {
    let text = |name| http.headers().get(name).and_then(|value| value.to_str().ok());
    if text(header::CONTENT_TYPE).is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(ApiError::bad_request(
            "this server fetches nothing from the network; send the audio itself as the body, not a url",
        ));
    }
    let length = text(header::CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok());
    if length.is_some_and(|length| length > app.config.max_body) {
        return Err(ApiError::too_large(app.config.max_body));
    }
    Ok(())
}

/// Passes the body on as it comes.
async fn receive(app: &App, mut body: Body, feed: &Feed) -> Result<(), ApiError> {
    let mut received = 0u64;
    loop {
        let frame = timeout(app.config.body_timeout, body.frame()).await.map_err(|_| ApiError::timeout())?;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| ApiError::bad_request(format!("the body can't be read: {error}")))?;
        let Ok(bytes) = frame.into_data() else { continue };
        received += bytes.len() as u64;
        if received > app.config.max_body {
            return Err(ApiError::too_large(app.config.max_body));
        }
        for piece in feed.pieces(bytes, Instant::now()) {
            if feed.send(piece).await.is_err() {
                // The recognition has ended; its output tells why.
                return Ok(());
            }
        }
    }
    if received == 0 {
        return Err(ApiError::bad_request("the body is empty; send the audio as the body"));
    }
    let _ = feed.send(Piece::Control(Command::Finish { digest: None, damage: None })).await;
    Ok(())
}

/// What was said in a channel.
#[derive(Default)]
struct Channel {
    words: Vec<Word>,
    /// For each phrase that is looked for.
    hits: Vec<Vec<Hit>>,
}

/// Gathers the words of each channel until all is recognized.
async fn collect(mut outputs: UnboundedReceiver<Output>, place: &Place) -> Result<(Vec<Channel>, Summary), ApiError> {
    let mut channels: Vec<Channel> = Vec::new();
    while let Some(output) = outputs.recv().await {
        match output {
            Output::Results(results) if results.is_final => {
                channels.resize_with(results.channel.count.max(channels.len()), Channel::default);
                let channel = &mut channels[results.channel.index];
                channel.words.extend(results.words);
                channel.hits.resize_with(results.hits.len().max(channel.hits.len()), Vec::new);
                for (all, new) in channel.hits.iter_mut().zip(results.hits) {
                    all.extend(new);
                }
            }
            Output::Finished(summary) => {
                channels.resize_with(summary.channels.max(channels.len()), Channel::default);
                place.ended(true);
                return Ok((channels, summary));
            }
            Output::BadAudio(why) => return Err(ApiError::bad_request(format!("bad audio: {why}"))),
            Output::Failed(why) => {
                warn!(why, "recognition failed");
                place.ended(false);
                return Err(ApiError::internal(why));
            }
            _ => {}
        }
    }
    Err(ApiError::internal("the recognition ended before the recording"))
}

fn answer<'a>(channel: &'a Channel, transcript: &'a str, params: &'a Params) -> RecordingChannel<'a> {
    let words = &channel.words;
    let alternative =
        Alternative { transcript, confidence: confidence(words), words: words.iter().map(WireWord::from).collect() };
    let search = params.settings.search.iter().enumerate().map(|(i, search)| SearchResult {
        query: search.query(),
        hits: channel.hits.get(i).into_iter().flatten().map(WireHit::from).collect(),
    });
    RecordingChannel {
        search: search.collect(),
        alternatives: [RecordingAlternative { alternative, paragraphs: params.paragraphs.then(|| paragraphs(words)) }],
    }
}

fn utterances(channels: &[Channel], pause: std::time::Duration) -> Vec<Utterance<'_>> {
    let mut utterances: Vec<Utterance<'_>> = Vec::new();
    for (index, channel) in channels.iter().enumerate() {
        for words in split(&channel.words, pause) {
            let (start, end) = times(words);
            utterances.push(Utterance {
                start,
                end,
                confidence: confidence(words),
                channel: index,
                transcript: text(words),
                words: words.iter().map(WireWord::from).collect(),
                id: Uuid::new_v4().to_string(),
            });
        }
    }
    utterances.sort_by(|one, other| one.start.total_cmp(&other.start));
    utterances
}

fn confidence(words: &[Word]) -> f32 {
    if words.is_empty() { 0.0 } else { words.iter().map(|word| word.confidence).sum::<f32>() / words.len() as f32 }
}
