//! What a host sets.

use std::time::Duration;

/// Settings of a client.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// `ws://HOST:PORT` or `wss://HOST:PORT`, without a path.
    pub server: String,
    /// Certificates in PEM to trust beside the well-known ones: that of a box that signs its own.
    #[cfg(feature = "tls")]
    pub ca: Option<Vec<u8>>,
    /// Sent as `Authorization: Token …`.
    pub token: Option<String>,
    /// Sample rate of the audio.
    pub rate_hz: u32,
    /// Interleaved channels.
    pub channels: u16,
    /// More parameters, such as `smart_format=true&endpointing=500`.
    pub query: String,
    /// Audio that is kept for a server that is away. Older audio is lost then, and told as a gap.
    pub keep: Duration,
    /// About the first wait before the client connects again, which doubles each time.
    pub first_wait: Duration,
    /// About the longest wait.
    pub longest_wait: Duration,
    /// A server from which nothing comes for so long is gone; it is asked for a sign of life before.
    pub silence: Duration,
}

impl ClientConfig {
    /// 16 kHz mono, sent to a server.
    pub fn new(server: impl Into<String>) -> Self {
        Self {
            server: server.into(),
            #[cfg(feature = "tls")]
            ca: None,
            token: None,
            rate_hz: 16_000,
            channels: 1,
            query: String::new(),
            keep: Duration::from_secs(120),
            first_wait: Duration::from_secs(1),
            longest_wait: Duration::from_secs(30),
            silence: Duration::from_secs(6),
        }
    }

    pub(crate) fn url(&self) -> String {
        let Self { server, rate_hz, channels, query, .. } = self;
        let more = if query.is_empty() { String::new() } else { format!("&{query}") };
        let server = server.trim_end_matches('/');
        format!(
            "{server}/v1/listen?encoding=linear16&sample_rate={rate_hz}&channels={channels}&interim_results=true{more}"
        )
    }

    pub(crate) fn frames(&self, duration: Duration) -> u64 {
        (duration.as_secs_f64() * f64::from(self.rate_hz)).round() as u64
    }

    pub(crate) fn duration(&self, frames: u64) -> Duration {
        let rate = u64::from(self.rate_hz.max(1));
        Duration::from_secs(frames / rate) + Duration::from_nanos(frames % rate * 1_000_000_000 / rate)
    }
}
