//! Metrics for Prometheus. Names and their meaning are in the README of this crate.

use std::{sync::OnceLock, time::Duration};

use linnet::AudioFormat;
use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::admission::Admission;

/// Upper ends of the buckets of all histograms, in seconds.
const BUCKETS: [f64; 14] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 1.0, 5.0];

/// Installs the recorder of this process; further calls give the same one.
///
/// # Panics
/// When another recorder has been installed before.
pub fn install() -> PrometheusHandle {
    static HANDLE: OnceLock<PrometheusHandle> = OnceLock::new();
    let handle = HANDLE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets(&BUCKETS).expect("there are buckets");
        builder.install_recorder().expect("no other recorder is installed in this process")
    });
    describe();
    handle.clone()
}

fn describe() {
    describe_gauge!("linnet_streams", "Live streams that are open");
    describe_gauge!("linnet_streams_limit", "Live streams that are admitted");
    describe_gauge!("linnet_recordings", "Recordings that are being recognized");
    describe_gauge!("linnet_connections", "Open TCP connections");
    describe_gauge!("linnet_schedule_delay_seconds", "Smoothed time a live stream waits for an inference thread");
    describe_counter!("linnet_requests_total", "Requests for recognition, by kind and outcome");
    describe_counter!("linnet_closes_total", "Live streams that ended, by close code");
    describe_counter!("linnet_audio_microseconds_total", "Audio recognized");
    describe_counter!("linnet_inference_microseconds_total", "Time that inference threads worked");
    describe_counter!("linnet_results_total", "Results sent, by kind");
    describe_counter!("linnet_crashes_total", "Streams that ended by a defect of the recognizer");
    describe_gauge!("linnet_breaker_open", "1 while recognition fails and nothing is let in");
    describe_gauge!("linnet_canary_word_error_rate", "Errors for each word of the canary recording, at its last run");
    describe_gauge!("linnet_canary_seconds", "Time that the last run of the canary took");
    describe_counter!("linnet_canary_runs_total", "Runs of the canary, by outcome");
    describe_histogram!("linnet_push_seconds", "Time to recognize one piece of audio");
    describe_histogram!("linnet_results_latency_seconds", "From receipt of the audio to its results, by kind");
}

/// A piece of audio was recognized.
pub fn pushed(took: Duration, samples: usize, format: AudioFormat) {
    histogram!("linnet_push_seconds").record(took.as_secs_f64());
    let audio = samples as f64 / f64::from(format.channels.max(1)) / f64::from(format.rate_hz.max(1));
    counter!("linnet_audio_microseconds_total").increment((audio * 1e6) as u64);
    counter!("linnet_inference_microseconds_total").increment(took.as_micros() as u64);
}

/// A stream was given up because of a panic.
pub fn crashed() {
    counter!("linnet_crashes_total").increment(1);
}

/// Results were sent.
pub fn results(is_final: bool, latency: Duration) {
    let kind = if is_final { "final" } else { "interim" };
    counter!("linnet_results_total", "kind" => kind).increment(1);
    histogram!("linnet_results_latency_seconds", "kind" => kind).record(latency.as_secs_f64());
}

/// The canary was recognized, or could not be.
pub fn canary(word_error_rate: Option<f64>, took: Duration) {
    let outcome = if word_error_rate.is_some() { "recognized" } else { "failed" };
    counter!("linnet_canary_runs_total", "outcome" => outcome).increment(1);
    gauge!("linnet_canary_seconds").set(took.as_secs_f64());
    if let Some(rate) = word_error_rate {
        gauge!("linnet_canary_word_error_rate").set(rate);
    }
}

/// A request was answered or refused.
pub fn request(kind: &'static str, status: u16) {
    counter!("linnet_requests_total", "kind" => kind, "status" => status.to_string()).increment(1);
}

/// A live stream ended.
pub fn closed(code: u16) {
    counter!("linnet_closes_total", "code" => code.to_string()).increment(1);
}

/// The state of the server, looked up when it is asked for.
pub fn state(admission: &Admission, connections: usize, delay: Duration) {
    let (streams, recordings) = admission.count();
    gauge!("linnet_streams").set(streams as f64);
    gauge!("linnet_streams_limit").set(admission.max_streams() as f64);
    gauge!("linnet_recordings").set(recordings as f64);
    gauge!("linnet_breaker_open").set(f64::from(u8::from(admission.is_broken())));
    gauge!("linnet_connections").set(connections as f64);
    gauge!("linnet_schedule_delay_seconds").set(delay.as_secs_f64());
}
