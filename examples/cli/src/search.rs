//! What the search is told before it hears: hotwords, a grammar, the width of the beam.

use std::{fs, path::Path, time::Duration};

use linnet::{Engine, Grammar, Hotword, ShallowFusion, StreamConfig};

use crate::{args::SearchArgs, failure::Failure};

/// The arguments of the search with their files read.
#[derive(Clone, Debug, Default)]
pub struct Search {
    hotwords: Vec<Hotword>,
    grammar: Option<Grammar>,
    language_model: ShallowFusion,
    beam: usize,
    single_pass: bool,
    whole: bool,
}

impl Search {
    /// Reads the files. Hotwords that can't be listened for are reported on standard error.
    ///
    /// # Errors
    /// When a file can't be read or understood.
    pub fn read(args: &SearchArgs, engine: &Engine) -> Result<Self, Failure> {
        let hotwords = match &args.hotwords {
            Some(path) => read_hotwords(path)?,
            None => Vec::new(),
        };
        for rejected in engine.hotwords(&hotwords).rejected() {
            eprintln!("linnet: hotword {:?} is left out: {}", rejected.spelling, rejected.reason);
        }
        let grammar = match &args.grammar {
            Some(path) => Some(read_grammar(path, engine)?),
            None => None,
        };
        let language_model = language_model(args, engine)?;
        let SearchArgs { single_pass, whole, .. } = *args;
        Ok(Self { hotwords, grammar, language_model, beam: args.beam.into(), single_pass, whole })
    }

    /// Writes it into the settings of a stream.
    pub fn apply(&self, config: &mut StreamConfig) {
        config.hotwords.clone_from(&self.hotwords);
        config.grammar.clone_from(&self.grammar);
        config.language_model.clone_from(&self.language_model);
        config.beam_width = self.beam;
        config.second_pass = !self.single_pass;
        if self.whole {
            config.endpointing = None;
            config.utterance_end = None;
            config.max_utterance = Duration::MAX;
            config.gate = false;
        }
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| Failure::on(path.display(), error))
}

fn read_grammar(path: &Path, engine: &Engine) -> Result<Grammar, Failure> {
    engine.grammar(&read(path)?).map_err(|error| Failure::on(path.display(), error))
}

/// The n-gram model that counts beside the recognizer, and how much.
fn language_model(args: &SearchArgs, engine: &Engine) -> Result<ShallowFusion, Failure> {
    let model = match &args.lm {
        _ if args.no_lm => return Ok(ShallowFusion::Off),
        Some(path) => {
            let source = fs::read(path).map_err(|error| Failure::on(path.display(), error))?;
            engine.language_model(source).map_err(|error| Failure::on(path.display(), error))?
        }
        None => match engine.built_in_language_model() {
            Some(model) => model.clone(),
            None => return Ok(ShallowFusion::BuiltIn),
        },
    };
    let weight = args.lm_weight.unwrap_or(model.weight());
    let reward = args.lm_reward.unwrap_or(model.token_reward());
    let network_weight = args.lm_network_weight.unwrap_or(model.network_weight());
    let internal_weight = args.lm_internal_weight.unwrap_or(model.internal_weight());
    let model = model.with_weight(weight).with_token_reward(reward);
    Ok(ShallowFusion::With(model.with_network_weight(network_weight).with_internal_weight(internal_weight)))
}

fn read_hotwords(path: &Path) -> Result<Vec<Hotword>, Failure> {
    let text = read(path)?;
    let lines = (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    lines
        .map(|(number, line)| {
            hotword(line).map_err(|why| Failure::on(format_args!("{}:{number}", path.display()), why))
        })
        .collect()
}

/// Reads `phrase`, `phrase:boost` or `phrase:boost = spelling, spelling`.
fn hotword(line: &str) -> Result<Hotword, String> {
    let (phrase, sounds) = line.split_once('=').map_or((line, None), |(phrase, sounds)| (phrase, Some(sounds)));
    let mut hotword = match phrase.rsplit_once(':') {
        Some((phrase, boost)) => {
            let boost = boost.trim().parse().map_err(|_| format!("{:?} is no boost", boost.trim()))?;
            Hotword::new(phrase.trim()).with_boost(boost)
        }
        None => Hotword::new(phrase.trim()),
    };
    for sound in sounds.into_iter().flat_map(|sounds| sounds.split(',')) {
        hotword = hotword.sounds_like(sound.trim());
    }
    Ok(hotword)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hotwords_are_read() {
        assert_eq!(hotword("flat white"), Ok(Hotword::new("flat white")));
        assert_eq!(hotword(" oat milk : 2.5"), Ok(Hotword::new("oat milk").with_boost(2.5)));
        let quinoa = Hotword::new("quinoa").with_boost(3.0).sounds_like("keen wah").sounds_like("kin wa");
        assert_eq!(hotword("quinoa:3 = keen wah, kin wa"), Ok(quinoa));
        assert!(hotword("oat milk:much").is_err());
    }
}
