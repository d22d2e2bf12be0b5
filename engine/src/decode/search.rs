//! The search of a stream: greedy or beam.

use std::sync::Arc;

use super::{Beam, BeamConfig, Decoded, Grammar, Greedy, Hotwords, LanguageModel, Parse, Token};
use crate::model::{head::TransducerHead, tokens::Tokens};

/// What to search with.
#[derive(Clone, Debug)]
pub(crate) struct SearchConfig {
    /// Hypotheses of the beam; greedy search if 1 and there is no grammar.
    pub(crate) width: usize,
    /// Whether another search corrects this one, so that it makes do with fewer.
    pub(crate) is_narrow: bool,
    pub(crate) max_symbols_per_frame: usize,
    pub(crate) hotwords: Option<Hotwords>,
    pub(crate) grammar: Option<Grammar>,
    pub(crate) language_model: Option<LanguageModel>,
}

impl SearchConfig {
    fn width(&self) -> usize {
        if self.is_narrow { self.width.min(NARROW_WIDTH) } else { self.width }
    }
}

/// A search that can be changed while it runs.
#[derive(Debug)]
pub(crate) struct Search {
    kind: Kind,
    config: SearchConfig,
    tokens: Arc<Tokens>,
    /// The grammar changed: the next utterance needs another search.
    is_stale: bool,
    /// Counts the searches that grammars have replaced.
    generation: u32,
}

#[derive(Debug)]
enum Kind {
    Greedy(Box<Greedy>),
    Beam(Box<Beam>),
}

/// Hypotheses of a narrow search.
const NARROW_WIDTH: usize = 4;

/// Narrowest beam in a grammar, which has few continuations and lets a wide beam be cheap.
const GRAMMAR_WIDTH: usize = 32;

/// Pruning in a grammar: what the model does not expect must survive until the grammar proves it right.
const GRAMMAR_PRUNE: f32 = 12.0;

impl Kind {
    fn new(head: &dyn TransducerHead, tokens: &Arc<Tokens>, config: &SearchConfig) -> Self {
        let SearchConfig { max_symbols_per_frame, hotwords, grammar, language_model, .. } = config.clone();
        let width = config.width();
        if width <= 1 && grammar.is_none() {
            let mut search = Greedy::new(head, max_symbols_per_frame);
            search.set_hotwords(hotwords);
            return Self::Greedy(Box::new(search));
        }
        let mut beam = BeamConfig { width, max_symbols_per_frame, ..BeamConfig::default() };
        if grammar.is_some() {
            beam.width = width.max(GRAMMAR_WIDTH);
            beam.prune = GRAMMAR_PRUNE;
        }
        let mut search = Beam::new(head, tokens.clone(), beam, grammar);
        search.set_hotwords(hotwords);
        search.set_language_model(head, language_model);
        Self::Beam(Box::new(search))
    }
}

impl Search {
    pub(crate) fn new(head: &dyn TransducerHead, tokens: Arc<Tokens>, config: SearchConfig) -> Self {
        Self { kind: Kind::new(head, &tokens, &config), config, tokens, is_stale: false, generation: 0 }
    }

    /// Another search with the same settings that is not narrow, which stands where this one does.
    pub(crate) fn fork(&self, head: &dyn TransducerHead) -> Self {
        let config = SearchConfig { is_narrow: false, ..self.config.clone() };
        let mut fork = Self::new(head, self.tokens.clone(), config);
        fork.generation = self.generation;
        fork.copy_from(self, head);
        fork
    }

    /// Goes on where another search of the same stream stands. Allocates only after the grammar changed.
    pub(crate) fn copy_from(&mut self, source: &Self, head: &dyn TransducerHead) {
        if self.generation != source.generation {
            let is_narrow = self.config.is_narrow;
            self.config.clone_from(&source.config);
            self.config.is_narrow = is_narrow;
            self.generation = source.generation;
            self.kind = Kind::new(head, &self.tokens, &self.config);
        }
        match (&mut self.kind, &source.kind) {
            (Kind::Greedy(search), Kind::Greedy(source)) => search.copy_from(source),
            (Kind::Beam(search), Kind::Beam(source)) => search.copy_from(source),
            _ => unreachable!("searches of one generation are of one kind"),
        }
    }

    /// Follows fewer hypotheses from the next frame on, for what another search will correct, or as many as are wanted.
    /// Allocates where it has not been that wide before.
    pub(crate) fn set_narrow(&mut self, head: &dyn TransducerHead, is_narrow: bool) {
        self.config.is_narrow = is_narrow;
        if let Kind::Beam(search) = &mut self.kind {
            search.set_width(head, self.config.width());
        }
    }

    /// Whether another search of the same stream stands at the same frame, with the same grammar.
    pub(crate) fn stands_with(&self, other: &Self) -> bool {
        self.frames() == other.frames() && self.generation == other.generation
    }

    pub(crate) fn decode(&mut self, head: &dyn TransducerHead, frames: &[f32], out: &mut Decoded) -> usize {
        match &mut self.kind {
            Kind::Greedy(search) => search.decode(head, frames, out),
            Kind::Beam(search) => search.decode(head, frames, out),
        }
    }

    pub(crate) fn finish_utterance(&mut self, out: &mut Decoded) {
        match &mut self.kind {
            Kind::Greedy(search) => search.finish_utterance(out),
            Kind::Beam(search) => search.finish_utterance(out),
        }
    }

    /// What the finished utterance means in its grammar.
    pub(crate) fn parse(&self) -> Option<Parse> {
        match &self.kind {
            Kind::Greedy(_) => None,
            Kind::Beam(search) => search.parse(),
        }
    }

    /// The hypotheses of the finished utterance after its confirmed tokens, and their logarithmic scores: what it is
    /// first, then the likeliest.
    pub(crate) fn alternatives(&self) -> impl Iterator<Item = (&[Token], f32)> {
        let beam = match &self.kind {
            Kind::Greedy(_) => None,
            Kind::Beam(search) => Some(search),
        };
        beam.into_iter().flat_map(|search| search.alternatives())
    }

    pub(crate) fn set_hotwords(&mut self, hotwords: Option<Hotwords>) {
        self.config.hotwords.clone_from(&hotwords);
        match &mut self.kind {
            Kind::Greedy(search) => search.set_hotwords(hotwords),
            Kind::Beam(search) => search.set_hotwords(hotwords),
        }
    }

    /// Keeps to this grammar, or to none, from the next utterance on; `at_once` starts one.
    pub(crate) fn set_grammar(&mut self, head: &dyn TransducerHead, grammar: Option<Grammar>, at_once: bool) {
        self.config.grammar = grammar;
        self.is_stale = true;
        if at_once {
            self.start_utterance(head);
        }
    }

    pub(crate) fn rejected_hotwords(&self) -> &[super::RejectedHotword] {
        self.config.hotwords.as_ref().map_or(&[], Hotwords::rejected)
    }

    pub(crate) fn frames(&self) -> u64 {
        match &self.kind {
            Kind::Greedy(search) => search.frames(),
            Kind::Beam(search) => search.frames(),
        }
    }

    /// Counts frames that were not decoded because nothing is said in them.
    pub(crate) fn skip(&mut self, frames: u64) {
        match &mut self.kind {
            Kind::Greedy(search) => search.skip(frames),
            Kind::Beam(search) => search.skip(frames),
        }
    }

    /// Allocates only after the grammar changed.
    pub(crate) fn start_utterance(&mut self, head: &dyn TransducerHead) {
        if std::mem::take(&mut self.is_stale) {
            let frame = self.frames();
            self.generation = self.generation.wrapping_add(1);
            self.kind = Kind::new(head, &self.tokens, &self.config);
            match &mut self.kind {
                Kind::Greedy(search) => search.set_frame(frame),
                Kind::Beam(search) => search.set_frame(frame),
            }
            return;
        }
        match &mut self.kind {
            Kind::Greedy(search) => search.start_utterance(head),
            Kind::Beam(search) => search.start_utterance(head),
        }
    }

    pub(crate) fn reset(&mut self, head: &dyn TransducerHead) {
        self.start_utterance(head);
        match &mut self.kind {
            Kind::Greedy(search) => search.reset(head),
            Kind::Beam(search) => search.reset(head),
        }
    }
}
