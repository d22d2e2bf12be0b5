//! The arguments of the command line.

use std::{path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand, ValueEnum};
use linnet::{
    FormatConfig, LanguageModel, SpeakerConfig, StreamConfig,
    audio::formats::{Encoding, RawFormat},
};

/// Hypotheses that a search follows unless told otherwise.
const BEAM: u8 = StreamConfig::DEFAULT_BEAM_WIDTH as u8;

/// Linnet: streaming speech recognition on this machine, without a network.
#[derive(Debug, Parser)]
#[command(name = "linnet", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write what is said in recordings or on standard input.
    #[command(after_help = TRANSCRIBE_EXAMPLES)]
    Transcribe(Transcribe),
    /// Write what is said into a microphone, as it is said.
    #[cfg(feature = "capture")]
    #[command(after_help = LISTEN_HELP)]
    Listen(Listen),
    /// List the microphones of this machine.
    #[cfg(feature = "capture")]
    Devices(Devices),
    /// Measure the latency of words, from the ring of a live session to its events.
    #[command(after_help = BENCH_HELP)]
    Bench(Bench),
    /// Measure accuracy, speed and latency on recordings with transcripts.
    #[command(after_help = EVAL_HELP)]
    Eval(Eval),
    /// Write who speaks when, as RTTM. Experimental: see the accuracy in models/eval/speaker.
    #[command(
        after_help = "Examples:\n  linnet diarize meeting.flac > meeting.rttm\n  linnet diarize --most 2 call.wav"
    )]
    Diarize(Diarize),
    /// Show what a model is and what it runs on.
    Info(Info),
    /// Pack a training checkpoint or a .nemo file as a .linnet model.
    #[command(
        after_help = "Examples:\n  linnet convert checkpoint.safetensors model.linnet\n  linnet convert fastconformer.nemo model.linnet --endpoint linnet-endpoint.safetensors"
    )]
    Convert(Convert),
    /// Make an n-gram model of a text for --lm.
    Lm(Lm),
    /// List and fetch bigger public models.
    #[cfg(feature = "download")]
    #[command(
        after_help = "Examples:\n  linnet models list\n  linnet models pull fastconformer-en-32m\n  linnet transcribe --model fastconformer-en-32m talk.flac"
    )]
    Models(Models),
}

const TRANSCRIBE_EXAMPLES: &str = "\
Examples:
  linnet transcribe meeting.flac
  linnet transcribe --format srt talk.mp3 > talk.srt
  arecord -q -f S16_LE -r 16000 -c 1 -t raw | linnet transcribe --raw 16000:1:s16le --interim -
  linnet transcribe --realtime --chunk-ms 160 clip.wav > /dev/null
  linnet transcribe --grammar menu.jsgf --format json order.wav

Files: WAV, FLAC, MP3, Ogg Vorbis, and Opus in Ogg or WebM, at 8 to 192 kHz with any number of channels, which are mixed to one.
Exit code: 0 when all went well, 1 when a file could not be transcribed, 2 on a usage error.";

#[cfg(feature = "capture")]
const LISTEN_HELP: &str = "\
Examples:
  linnet listen
  linnet listen --device usb --save meeting.wav
  linnet listen --json | jq -r 'select(.type == \"final\").text'

Ctrl-C ends it: what was said is still recognized. A device that is lost is taken up again when it is back.";

const BENCH_HELP: &str = "\
The recordings are played one after the other, with half a second of silence behind each, through a live session: ring,
recognizer thread, events. Words are compared with those of FILE.tsv (a header with the columns `file`, `word` and
`end`, in seconds; a row for each word, in order), or else with the transcript of the whole recording in the longest
chunks. Only words that were recognized count.

Examples:
  linnet bench --realtime clip.wav
  linnet bench --realtime --chunk-ms 160 --endpointing-ms 300 --alignments words.tsv clips/*.flac";

const EVAL_HELP: &str = "\
Each DIR holds recordings and transcripts.tsv: tab-separated, with a header that names at least the columns
`file` and `text`. Before scoring, both sides are lower-cased, hyphens become spaces, and punctuation other
than apostrophes is removed.

Examples:
  linnet eval data/dev/librispeech
  linnet eval --all-chunks --json data/dev/librispeech data/dev/common_voice > figures.json
  linnet eval --chunk-ms 160 --chunk-ms 560 --out texts.tsv data/dev/nonnative";

/// Which model, and how it runs.
#[derive(Args, Clone, Debug, Default)]
pub struct ModelArgs {
    /// Model to use instead of the built-in English one: a .linnet file, a checkpoint, a .nemo file, or the name of a
    /// pulled model (`linnet models`).
    #[arg(long, value_name = "PATH")]
    pub model: Option<PathBuf>,
    /// Run a checkpoint or .nemo file in 32-bit floating point, as the exact and slow reference.
    #[arg(long, requires = "model")]
    pub reference: bool,
}

/// What the search expects to hear.
#[derive(Args, Clone, Debug)]
pub struct SearchArgs {
    /// Phrases to expect, one a line: `flat white`, with a boost `oat milk:2.5`, with other spellings of how it sounds
    /// `quinoa:2 = keen wah, kin wa`.
    #[arg(long, value_name = "FILE")]
    pub hotwords: Option<PathBuf>,
    /// All that can be said, as a JSGF grammar; utterances are then written with the slots they fill.
    #[arg(long, value_name = "FILE")]
    pub grammar: Option<PathBuf>,
    /// Hypotheses to follow at once; the first of two passes follows four. 1 is greedy search.
    #[arg(long, value_name = "N", default_value_t = BEAM, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub beam: u8,
    /// Let finals stand as the first pass heard them, for three fifths of the work.
    #[arg(long)]
    pub single_pass: bool,
    /// N-gram model to let the beam agree with, as `linnet lm` makes it, in place of the one in the model file.
    #[arg(long, value_name = "FILE")]
    pub lm: Option<PathBuf>,
    /// Let no n-gram model count, not even the one in the model file.
    #[arg(long, conflicts_with = "lm")]
    pub no_lm: bool,
    /// How much the n-gram model counts beside the recognizer. Without it, what the model says of itself.
    #[arg(long, value_name = "FACTOR")]
    pub lm_weight: Option<f32>,
    /// How much of what the recognizer expects without hearing anything is taken off while there is an n-gram model. Without
    /// it, what the model says.
    #[arg(long, value_name = "FACTOR")]
    pub lm_internal_weight: Option<f32>,
    /// How much the language network of the model file counts, 0 for not at all. Without it, what the model says.
    #[arg(long, value_name = "FACTOR")]
    pub lm_network_weight: Option<f32>,
    /// What every token earns while there is an n-gram model, natural logarithm. Without it, what the model says.
    #[arg(long, value_name = "NATS", allow_negative_numbers = true)]
    pub lm_reward: Option<f32>,
    /// Take each recording as one utterance, whatever its pauses.
    #[arg(long)]
    pub whole: bool,
}

/// Arguments of `transcribe`.
#[derive(Args, Debug)]
pub struct Transcribe {
    /// Recordings, or - for standard input.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub search: SearchArgs,
    /// What to write.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Audio per step in milliseconds, rounded to what the model was trained with (see `linnet info`).
    #[arg(long, value_name = "N", value_parser = milliseconds)]
    pub chunk_ms: Option<Duration>,
    /// Also show the words of the running utterance as they come.
    #[arg(long)]
    pub interim: bool,
    /// Feed each file as a microphone would, by the clock, and report latencies on standard error.
    #[arg(long)]
    pub realtime: bool,
    /// Read the input as samples without a header, for example 16000:1:s16le.
    ///
    /// ENC is one of u8, s16le, s24le, s32le, f32le, f64le, mulaw, alaw.
    #[arg(long, value_name = "RATE:CHANNELS:ENC", value_parser = raw_format)]
    pub raw: Option<RawFormat>,
    /// Say who speaks, for up to N speakers (4 without =N). Experimental: see the accuracy in models/eval/speaker.
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "4",
        value_parser = clap::value_parser!(u8).range(1..=16)
    )]
    pub speakers: Option<u8>,
    #[command(flatten)]
    pub writing: WritingArgs,
}

impl Transcribe {
    /// How speakers are told apart.
    pub fn speaker_config(&self) -> Option<SpeakerConfig> {
        self.speakers.map(|most| {
            let mut config = SpeakerConfig::default();
            config.most = most.into();
            config
        })
    }
}

/// How words are written.
#[derive(Args, Clone, Debug, Default)]
pub struct WritingArgs {
    /// Write numbers in digits.
    #[arg(long)]
    numerals: bool,
    /// Write numbers, money, times, dates, telephone numbers, units, spelled letters and sites as readers expect them.
    #[arg(long)]
    smart_format: bool,
    /// Write capitals, and a full stop after a pause.
    #[arg(long)]
    punctuate: bool,
    /// Write profane words as ****.
    #[arg(long)]
    profanity_filter: bool,
    /// Write other words than were said; without the second part, none. May be given several times.
    #[arg(long, value_name = "WORDS[:OTHER WORDS]", value_parser = replacement)]
    replace: Vec<(String, String)>,
    /// Hide numbers: runs of three digits or more, all, those of payment cards, or social security numbers.
    #[arg(long, value_enum)]
    redact: Vec<Redact>,
}

/// Numbers to hide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Redact {
    /// Runs of three digits or more.
    Numbers,
    /// Everything with a digit.
    AllNumbers,
    /// Numbers of payment cards.
    Cards,
    /// Social security numbers.
    Ssn,
}

impl WritingArgs {
    /// The settings of a stream.
    pub fn format(&self) -> FormatConfig {
        let mut format = FormatConfig::default();
        format.numerals = self.numerals;
        format.smart = self.smart_format;
        format.punctuate = self.punctuate;
        format.profanity_filter = self.profanity_filter;
        format.replace.clone_from(&self.replace);
        format.redact.numbers = self.redact.contains(&Redact::Numbers);
        format.redact.all_numbers = self.redact.contains(&Redact::AllNumbers);
        format.redact.cards = self.redact.contains(&Redact::Cards);
        format.redact.ssn = self.redact.contains(&Redact::Ssn);
        format
    }
}

/// Output of `transcribe`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// One line per utterance.
    Text,
    /// One JSON object per utterance and line, with times and confidences.
    Json,
    /// SubRip subtitles.
    Srt,
    /// WebVTT subtitles.
    Vtt,
}

/// Arguments of `listen`.
#[cfg(feature = "capture")]
#[derive(Args, Debug)]
pub struct Listen {
    #[command(flatten)]
    pub model: ModelArgs,
    /// Microphone by its id or a part of its name (see `linnet devices`); the default one without it.
    #[arg(long, value_name = "NAME")]
    pub device: Option<String>,
    /// Audio per step in milliseconds, rounded to what the model was trained with (see `linnet info`).
    #[arg(long, value_name = "N", value_parser = milliseconds)]
    pub chunk_ms: Option<Duration>,
    /// Write one JSON object per event and line.
    #[arg(long)]
    pub json: bool,
    /// Keep what was heard, as 16 kHz mono.
    #[arg(long, value_name = "FILE.wav")]
    pub save: Option<PathBuf>,
    /// At the end, write what the session measured to standard error.
    #[arg(long)]
    pub stats: bool,
    /// Stop after this many seconds.
    #[arg(long = "for", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub for_seconds: Option<u64>,
    /// Wait for a microphone that is not there yet instead of giving up.
    #[arg(long)]
    pub wait: bool,
}

/// Arguments of `devices`.
#[cfg(feature = "capture")]
#[derive(Args, Debug)]
pub struct Devices {
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `bench`.
#[derive(Args, Debug)]
pub struct Bench {
    /// Recordings.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Play by the clock. Without it, play ten times as fast: a quick look, in which computing counts ten times.
    #[arg(long)]
    pub realtime: bool,
    /// Where the words really end.
    #[arg(long, value_name = "FILE.tsv")]
    pub alignments: Option<PathBuf>,
    /// Audio per step in milliseconds, rounded to what the model was trained with (see `linnet info`).
    #[arg(long, value_name = "N", value_parser = milliseconds)]
    pub chunk_ms: Option<Duration>,
    /// Silence that ends an utterance, in milliseconds.
    #[arg(long, value_name = "N", value_parser = milliseconds)]
    pub endpointing_ms: Option<Duration>,
    /// Write one JSON document instead of a table.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `diarize`.
#[derive(Args, Debug)]
pub struct Diarize {
    /// Recordings, or - for standard input.
    #[arg(required = true, value_name = "FILES")]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Most speakers of a recording.
    #[arg(long, value_name = "N", default_value = "4", value_parser = clap::value_parser!(u8).range(1..=16))]
    pub most: u8,
    /// Cosine between voices below which they are two people's, instead of the model's.
    #[arg(long, value_name = "COSINE", allow_negative_numbers = true)]
    pub threshold: Option<f32>,
    /// Read the input as samples without a header, for example 16000:1:s16le.
    #[arg(long, value_name = "RATE:CHANNELS:ENC", value_parser = raw_format)]
    pub raw: Option<RawFormat>,
}

/// Arguments of `eval`.
#[derive(Args, Debug)]
pub struct Eval {
    /// Folders with recordings and a transcripts.tsv.
    #[arg(required = true, value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    #[command(flatten)]
    pub model: ModelArgs,
    #[command(flatten)]
    pub search: SearchArgs,
    /// Audio per step in milliseconds; may be given several times. Without it, the model's default.
    #[arg(long, value_name = "N", value_parser = milliseconds)]
    pub chunk_ms: Vec<Duration>,
    /// Measure every chunk that the model was trained with.
    #[arg(long, conflicts_with = "chunk_ms")]
    pub all_chunks: bool,
    /// Write one JSON document instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Recordings to work on at once. More than one makes step times less exact.
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: u16,
    /// Take only the first N recordings of each folder.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,
    /// Also write file, ref, hyp and chunk_ms of every recording.
    #[arg(long, value_name = "FILE.tsv")]
    pub out: Option<PathBuf>,
    /// Also show how often words of each confidence are right, and what dropping unsure ones keeps.
    #[arg(long)]
    pub reliability: bool,
    /// Also write every heard word: whether it is right, its confidence and what that is made from.
    #[arg(long, value_name = "FILE.tsv")]
    pub words: Option<PathBuf>,
}

/// Arguments of `info`.
#[derive(Args, Debug)]
pub struct Info {
    /// Model to show instead of the built-in English one.
    #[arg(long, value_name = "PATH")]
    pub model: Option<PathBuf>,
    /// Write JSON.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `convert`.
#[derive(Args, Debug)]
pub struct Convert {
    /// A checkpoint (.safetensors) or .nemo file.
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// The .linnet file to write.
    #[arg(value_name = "OUT")]
    pub output: PathBuf,
    /// Endpointing network to make part of the model, in place of its own.
    #[arg(long, value_name = "PATH")]
    pub endpoint: Option<PathBuf>,
    /// Speaker network to make part of the model, in place of its own.
    #[arg(long, value_name = "PATH")]
    pub speaker: Option<PathBuf>,
    /// N-gram model (`linnet lm`) to make part of the model, in place of its own.
    #[arg(long, value_name = "PATH")]
    pub language_model: Option<PathBuf>,
    /// Language network to make part of the model, in place of its own.
    #[arg(long, value_name = "PATH")]
    pub language_network: Option<PathBuf>,
    /// Calibration of word confidences to make part of the model, in place of its own (JSON).
    #[arg(long, value_name = "PATH")]
    pub confidence: Option<PathBuf>,
}

/// Arguments of `models`.
#[cfg(feature = "download")]
#[derive(Args, Debug)]
pub struct Models {
    /// What to do.
    #[command(subcommand)]
    pub command: ModelsCommand,
}

/// The commands of `models`.
#[cfg(feature = "download")]
#[derive(Debug, Subcommand)]
pub enum ModelsCommand {
    /// Show what there is, and what is on this machine.
    List {
        /// Write JSON.
        #[arg(long)]
        json: bool,
    },
    /// Download a model, check it, and convert it; goes on where it was cut off.
    Pull(Pull),
}

/// Arguments of `models pull`.
#[cfg(feature = "download")]
#[derive(Args, Debug)]
pub struct Pull {
    /// Name in the catalogue.
    pub name: String,
    /// Where to keep it instead of the user's cache directory.
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Server with the layout of huggingface.co to take it from.
    #[arg(long, value_name = "URL")]
    pub mirror: Option<String>,
}

/// Arguments of `lm`.
#[derive(Args, Debug)]
pub struct Lm {
    /// Texts, a sentence a line, in words as they are spoken; each may count more or less than the others.
    #[arg(required = true, value_name = "TEXT[=WEIGHT]", value_parser = weighed_text)]
    pub texts: Vec<WeighedText>,
    #[command(flatten)]
    pub model: ModelArgs,
    /// Most pieces of an n-gram.
    #[arg(long, value_name = "N", default_value = "6", value_parser = clap::value_parser!(u8).range(1..=12))]
    pub order: u8,
    /// Most n-grams. Those that matter least are left out.
    #[arg(long, value_name = "N", default_value = "1000000")]
    pub ngrams: usize,
    /// A text that the recognizer was trained on; pairs of pieces count the less the likelier they are in it, since the
    /// recognizer has learned them already.
    #[arg(long, value_name = "TEXT")]
    pub known: Vec<PathBuf>,
    /// How much less.
    #[arg(long, value_name = "FACTOR", default_value = "0.5", requires = "known")]
    pub known_factor: f64,
    /// How much the model is to count beside the recognizer.
    #[arg(long, value_name = "FACTOR", default_value_t = LanguageModel::DEFAULT_WEIGHT)]
    pub weight: f32,
    /// What every token is to earn, natural logarithm.
    #[arg(long, value_name = "NATS", default_value_t = LanguageModel::DEFAULT_TOKEN_REWARD, allow_negative_numbers = true)]
    pub reward: f32,
    /// How much of what the recognizer expects without hearing anything is to be taken off: does better than --known where
    /// the weight is as large.
    #[arg(long, value_name = "FACTOR", default_value_t = 0.0)]
    pub internal_weight: f32,
    /// The file to write: FILE.arpa is text, without the weights and the reward; others are compact.
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

/// A text and how much it counts.
#[derive(Clone, Debug)]
pub struct WeighedText {
    /// Its file.
    pub path: PathBuf,
    /// How often each of its sentences counts.
    pub weight: f32,
}

/// Reads TEXT[=WEIGHT].
fn weighed_text(text: &str) -> Result<WeighedText, String> {
    let Some((path, weight)) = text.rsplit_once('=') else {
        return Ok(WeighedText { path: text.into(), weight: 1.0 });
    };
    match weight.parse() {
        Ok(weight) if (1e-3..=1e3).contains(&weight) => Ok(WeighedText { path: path.into(), weight }),
        _ => Err(format!("{weight:?} is no weight between 0.001 and 1000")),
    }
}

/// Reads RATE:CHANNELS:ENC.
fn raw_format(text: &str) -> Result<RawFormat, String> {
    let [rate, channels, encoding] = text.split(':').collect::<Vec<_>>()[..] else {
        return Err("it takes three parts, such as 16000:1:s16le".into());
    };
    let rate_hz = rate.parse().map_err(|_| format!("{rate:?} is no rate in Hz"))?;
    if !(8_000..=192_000).contains(&rate_hz) {
        return Err(format!("{rate_hz} Hz is outside 8000 to 192000"));
    }
    let channels = channels.parse().map_err(|_| format!("{channels:?} is no number of channels"))?;
    if !(1..=64).contains(&channels) {
        return Err(format!("{channels} channels are outside 1 to 64"));
    }
    let encoding = match encoding {
        "u8" => Encoding::U8,
        "s16le" => Encoding::I16,
        "s24le" => Encoding::I24,
        "s32le" => Encoding::I32,
        "f32le" => Encoding::F32,
        "f64le" => Encoding::F64,
        "mulaw" => Encoding::MuLaw,
        "alaw" => Encoding::ALaw,
        other => return Err(format!("{other:?} is none of u8, s16le, s24le, s32le, f32le, f64le, mulaw, alaw")),
    };
    Ok(RawFormat { rate_hz, channels, encoding })
}

fn replacement(text: &str) -> Result<(String, String), String> {
    let (find, with) = text.split_once(':').unwrap_or((text, ""));
    if find.trim().is_empty() { Err("it takes WORDS:OTHER WORDS".into()) } else { Ok((find.into(), with.into())) }
}

fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse::<u32>() {
        Ok(ms) if ms > 0 => Ok(Duration::from_millis(ms.into())),
        _ => Err("it must be a whole number of milliseconds above zero".into()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn raw_layouts_are_read() {
        let raw = RawFormat { rate_hz: 48_000, channels: 2, encoding: Encoding::F32 };
        assert_eq!(raw_format("48000:2:f32le"), Ok(raw));
        for bad in
            ["", "16000", "16000:1", "16000:1:s16be", "x:1:s16le", "16000:0:s16le", "100:1:s16le", "16000:1:u8:2"]
        {
            assert!(raw_format(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn writing_is_chosen() {
        let args = [
            "linnet",
            "transcribe",
            "--smart-format",
            "--replace",
            "um",
            "--replace",
            "a b:C",
            "--redact",
            "cards",
            "x",
        ];
        let Command::Transcribe(args) = Cli::parse_from(args).command else { panic!("it is transcribe") };
        let format = args.writing.format();
        assert!(format.smart && format.redact.cards && !format.redact.ssn);
        assert_eq!(format.replace, [("um".into(), String::new()), ("a b".into(), "C".into())]);
        assert!(WritingArgs::default().format().is_none());
        assert!(replacement(":x").is_err());
    }

    #[test]
    fn chunks_are_whole_milliseconds() {
        assert_eq!(milliseconds("160"), Ok(Duration::from_millis(160)));
        assert!(["0", "-1", "1.5", "", "ms"].iter().all(|bad| milliseconds(bad).is_err()));
    }
}
