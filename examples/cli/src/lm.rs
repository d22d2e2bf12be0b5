//! `linnet lm`: an n-gram model of a text, for `--lm`.

use std::{fmt::Display, fs, path::Path, process::ExitCode};

use linnet::{Engine, Speller};

use crate::{
    args::{Lm, WeighedText},
    failure::Failure,
    model,
    ngram::{Corpus, MOST_TEXTS, Ngrams, Size, Text},
};

/// Runs the command.
///
/// # Errors
/// When the text or the model can't be read, or the file not be written.
pub fn run(args: &Lm) -> Result<ExitCode, Failure> {
    let engine = model::open_for(&args.model)?;
    if args.texts.len().max(args.known.len()) > MOST_TEXTS {
        return Err(Failure::Work(format!("more than {MOST_TEXTS} texts are too many; join some")));
    }
    let mut read = Read { speller: engine.speller(), lines: 0, left_out: 0 };
    let texts =
        args.texts.iter().map(|WeighedText { path, weight }| read.text(path, *weight)).collect::<Result<_, _>>()?;
    let Read { lines, left_out, .. } = read;
    if lines == 0 {
        return Err(Failure::Work(
            "the text has no line that the model can write; it takes words as they are spoken".into(),
        ));
    }
    let names: Vec<String> = engine.tokens().pieces().map(String::from).collect();
    let size = Size { order: args.order.into(), ngrams: args.ngrams };
    let mut ngrams = Ngrams::estimate(Corpus { names: names.clone(), texts }, size);
    if !args.known.is_empty() {
        let texts = args.known.iter().map(|path| read.text(path, 1.0)).collect::<Result<_, _>>()?;
        let known = Ngrams::estimate(Corpus { names, texts }, Size { order: 2, ngrams: usize::MAX });
        ngrams.divide_by_pairs(&known, args.known_factor);
    }
    write(&ngrams, &engine, args)?;
    eprintln!(
        "linnet: {} n-grams of {lines} lines; {left_out} lines that the model can't write were left out",
        ngrams.len()
    );
    Ok(ExitCode::SUCCESS)
}

/// Reads texts and counts their lines.
struct Read {
    speller: Speller,
    lines: usize,
    left_out: usize,
}

impl Read {
    fn text(&mut self, path: &Path, weight: f32) -> Result<Text, Failure> {
        let text = fs::read_to_string(path).map_err(|error| Failure::on(path.display(), error))?;
        let mut sequences = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match self.speller.tokens_of(line) {
                Ok(tokens) => sequences.push(tokens),
                Err(_) => self.left_out += 1,
            }
        }
        self.lines += sequences.len();
        Ok(Text { sequences, weight })
    }
}

fn write(ngrams: &Ngrams, engine: &Engine, args: &Lm) -> Result<(), Failure> {
    let named = |error: &dyn Display| Failure::on(args.output.display(), error);
    let mut arpa = Vec::new();
    ngrams.write_arpa(&mut arpa).map_err(|error| named(&error))?;
    let bytes = if args.output.extension().is_some_and(|extension| extension == "arpa") {
        arpa
    } else {
        let model = engine.language_model(arpa).map_err(|error| named(&error))?;
        let model =
            model.with_weight(args.weight).with_token_reward(args.reward).with_internal_weight(args.internal_weight);
        model.to_ngrams().to_bytes(engine.tokens()).map_err(|error| named(&error))?
    };
    fs::write(&args.output, bytes).map_err(|error| named(&error))
}
