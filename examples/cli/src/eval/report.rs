//! The figures of an evaluation, as a table and as JSON.

use std::{
    io::{self, Write},
    time::Duration,
};

use serde::Serialize;

use super::{
    measure::Heard,
    reliability::{Kept, Reliability, Share},
};
use crate::{
    info::{Facts, ms},
    stats::Quantiles,
    wer::Errors,
};

/// Sums over recordings.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    errors: Errors,
    audio: Duration,
    cpu: Duration,
    steps_ms: Vec<f64>,
    words_ms: Vec<f64>,
    finals_ms: Vec<f64>,
    reliability: Reliability,
}

impl Sums {
    /// Adds a recording; `right` says which of its words are.
    pub fn add(&mut self, said: &str, heard: &Heard, right: &[bool]) {
        self.errors.add(&Errors::of(said, &heard.text));
        self.audio += heard.audio;
        self.cpu += heard.cpu;
        self.steps_ms.extend_from_slice(&heard.steps_ms);
        self.words_ms.extend_from_slice(&heard.emissions.words);
        self.finals_ms.extend_from_slice(&heard.emissions.finals);
        for (word, &right) in heard.words.iter().zip(right) {
            self.reliability.add(word.confidence, right);
        }
    }

    /// Adds the recordings of another set.
    pub fn append(&mut self, other: &Self) {
        self.errors.add(&other.errors);
        self.audio += other.audio;
        self.cpu += other.cpu;
        self.steps_ms.extend_from_slice(&other.steps_ms);
        self.words_ms.extend_from_slice(&other.words_ms);
        self.finals_ms.extend_from_slice(&other.finals_ms);
        self.reliability.append(&other.reliability);
    }
}

/// The figures of one set at one chunk.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    set: String,
    chunk_ms: f64,
    #[serde(flatten)]
    errors: Errors,
    /// Word error rate in percent.
    wer: f64,
    /// Sentence error rate in percent.
    ser: f64,
    audio_seconds: f64,
    cpu_seconds: f64,
    /// Processor time over audio time.
    rtf: f64,
    step_ms: Option<Quantiles>,
    emission_ms: Option<Quantiles>,
    final_ms: Option<Quantiles>,
    /// Expected calibration error of the words' confidences, 0 to 1.
    calibration_error: Option<f64>,
    /// Words by confidence.
    reliability: Vec<Share>,
    /// What is kept when less sure words are dropped.
    kept: Vec<Kept>,
}

impl Row {
    /// The figures of a set.
    pub fn new(set: &str, chunk: Duration, sums: Sums) -> Self {
        let (audio_seconds, cpu_seconds) = (sums.audio.as_secs_f64(), sums.cpu.as_secs_f64());
        Self {
            set: set.to_owned(),
            chunk_ms: ms(chunk),
            wer: sums.errors.word_rate(),
            ser: sums.errors.sentence_rate(),
            errors: sums.errors,
            audio_seconds,
            cpu_seconds,
            rtf: if audio_seconds > 0.0 { cpu_seconds / audio_seconds } else { 0.0 },
            step_ms: Quantiles::of(sums.steps_ms),
            emission_ms: Quantiles::of(sums.words_ms),
            final_ms: Quantiles::of(sums.finals_ms),
            calibration_error: sums.reliability.calibration_error(),
            reliability: sums.reliability.shares(),
            kept: sums.reliability.kept(),
        }
    }
}

impl Row {
    fn write_reliability(&self, out: &mut impl Write) -> io::Result<()> {
        let Some(error) = self.calibration_error else { return Ok(()) };
        writeln!(out, "\n{} at {:.0} ms: expected calibration error {error:.3}", self.set, self.chunk_ms)?;
        writeln!(out, "confidence   words  mean   right   kept  right if kept")?;
        for share in &self.reliability {
            let Some(kept) = self.kept.iter().find(|kept| kept.least == share.from) else { continue };
            let to = share.from + 0.1;
            let (from, words) = (share.from, share.words);
            let (mean, right) = (share.confidence, 100.0 * share.right);
            let (kept, better) = (100.0 * kept.kept, 100.0 * kept.right);
            writeln!(
                out,
                "{from:.1} to {to:.1}  {words:>6}  {mean:.2}  {right:>4.0} %  {kept:>3.0} %  {better:>11.0} %"
            )?;
        }
        Ok(())
    }
}

/// All figures.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The model.
    pub model: Facts,
    /// One row for each set and chunk.
    pub results: Vec<Row>,
    /// One row for each chunk, over all sets.
    pub totals: Vec<Row>,
    /// Most memory that was resident at once in this process, in MB of 10⁶ bytes, where the system tells.
    pub peak_resident_mb: Option<f64>,
}

/// Most memory that was resident at once in this process, in MB of 10⁶ bytes. Linux only.
pub fn peak_resident_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}

impl Report {
    /// Writes a JSON document or a table, with `reliability` one more of the words by confidence.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write(&self, out: &mut impl Write, json: bool, reliability: bool) -> io::Result<()> {
        if json {
            serde_json::to_writer_pretty(&mut *out, self)?;
            return writeln!(out);
        }
        let rows = || self.results.iter().chain(&self.totals);
        let width = rows().map(|row| row.set.chars().count()).max().unwrap_or(0).max(3);
        writeln!(
            out,
            "{:width$}  {:>5}  {:>5}  {:>6}  {:>6}  {:>14}  {:>6}  {:>7}  {:>18}  {:>18}",
            "set", "chunk", "clips", "words", "WER %", "sub/ins/del", "SER %", "RTF", "step ms", "emission ms"
        )?;
        for row in rows() {
            let errors = format!("{}/{}/{}", row.errors.substitutions, row.errors.insertions, row.errors.deletions);
            writeln!(
                out,
                "{:width$}  {:>5.0}  {:>5}  {:>6}  {:>6.2}  {errors:>14}  {:>6.1}  {:>7.4}  {:>18}  {:>18}",
                row.set,
                row.chunk_ms,
                row.errors.sentences,
                row.errors.words,
                row.wer,
                row.ser,
                row.rtf,
                quantiles(row.step_ms, 1),
                quantiles(row.emission_ms, 0),
            )?;
        }
        writeln!(out, "\nstep and emission: p50/p95/p99; RTF: processor time over audio time, one thread")?;
        if reliability {
            self.totals.iter().try_for_each(|row| row.write_reliability(out))?;
        }
        Ok(())
    }
}

fn quantiles(values: Option<Quantiles>, digits: usize) -> String {
    values.map_or_else(|| "-".to_owned(), |q| format!("{:.digits$}/{:.digits$}/{:.digits$}", q.p50, q.p95, q.p99))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_over_all_recordings() {
        let heard = |text: &str| Heard {
            text: text.into(),
            audio: Duration::from_secs(2),
            cpu: Duration::from_millis(20),
            steps_ms: vec![1.0, 3.0],
            ..Heard::default()
        };
        let mut first = Sums::default();
        first.add("a b c", &heard("a b"), &[]);
        let mut total = Sums::default();
        total.append(&first);
        let mut second = Sums::default();
        second.add("d", &heard("d"), &[]);
        total.append(&second);
        let row = Row::new("total", Duration::from_millis(320), total);
        assert_eq!((row.wer, row.ser, row.rtf), (25.0, 50.0, 0.01));
        assert_eq!(row.step_ms.unwrap().count, 4);
        assert!(row.emission_ms.is_none());
        let json = serde_json::to_value(&row).unwrap();
        assert_eq!(json["deletions"], 1);
        assert_eq!(json["chunk_ms"], 320.0);
    }
}
