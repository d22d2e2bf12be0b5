//! `linnet lm`: an n-gram model of a text, for `--lm`.

use std::{
    fs::{self, File},
    io::{BufWriter, Write},
    process::ExitCode,
};

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
    let speller = engine.speller();
    if args.texts.len() > MOST_TEXTS {
        return Err(Failure::Work(format!("{} texts are more than {MOST_TEXTS}; join some", args.texts.len())));
    }
    let mut texts = Vec::new();
    let (mut lines, mut left_out) = (0, 0);
    for WeighedText { path, weight } in &args.texts {
        let text = fs::read_to_string(path).map_err(|error| Failure::on(path.display(), error))?;
        let mut sequences = Vec::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match speller.tokens_of(line) {
                Ok(tokens) => sequences.push(tokens),
                Err(_) => left_out += 1,
            }
        }
        lines += sequences.len();
        texts.push(Text { sequences, weight: *weight });
    }
    if lines == 0 {
        return Err(Failure::Work(
            "the text has no line that the model can write; it takes words as they are spoken".into(),
        ));
    }
    let names = engine.tokens().pieces().map(String::from).collect();
    let size = Size { order: args.order.into(), ngrams: args.ngrams };
    let ngrams = Ngrams::estimate(Corpus { names, texts }, size);
    let named = |error: std::io::Error| Failure::on(args.output.display(), error);
    let mut out = BufWriter::new(File::create(&args.output).map_err(named)?);
    ngrams.write_arpa(&mut out).and_then(|()| out.flush()).map_err(named)?;
    eprintln!(
        "linnet: {} n-grams of {lines} lines; {left_out} lines that the model can't write were left out",
        ngrams.len()
    );
    Ok(ExitCode::SUCCESS)
}
