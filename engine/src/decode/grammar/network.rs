//! The rules of a grammar as one network of words: states, steps that take nothing, and words between them.

use std::collections::HashMap;

use super::{GrammarError, jsgf};
use jsgf::Expansion;

/// Most states of a network.
const MAX_STATES: usize = 100_000;

/// Most parts of rules that are laid out; there are several to a state.
const MAX_PARTS: usize = 10 * MAX_STATES;

/// Deepest nesting of rules.
const MAX_DEPTH: usize = 64;

pub(super) type StateId = u32;

/// The network; it starts at state 0.
#[derive(Debug, Default)]
pub(super) struct Network {
    pub(super) states: Vec<State>,
    pub(super) edges: Vec<Edge>,
    pub(super) slots: Vec<SlotTag>,
    /// Names of the public rules.
    pub(super) rules: Vec<String>,
    /// Parts of rules laid out so far.
    parts: usize,
}

#[derive(Debug, Default)]
pub(super) struct State {
    /// Steps that take nothing, with their logarithmic weights.
    pub(super) skips: Vec<(StateId, f32)>,
    /// Words that lead away: indices of edges.
    pub(super) words: Vec<u32>,
    /// Whether any speech may go by here.
    pub(super) garbage: bool,
    /// The public rule that is complete here.
    pub(super) rule: Option<u32>,
}

/// A word between two states.
#[derive(Debug)]
pub(super) struct Edge {
    pub(super) word: String,
    pub(super) to: StateId,
    pub(super) slot: Option<u32>,
}

/// A place in the rules where a slot is filled.
#[derive(Debug)]
pub(super) struct SlotTag {
    pub(super) name: String,
    /// What it is filled with, the spoken words if `None`.
    pub(super) value: Option<String>,
}

impl Network {
    /// Lays the public rules out side by side, with a copy of every rule where it is referred to.
    pub(super) fn new(rules: &jsgf::Rules) -> Result<Self, GrammarError> {
        let mut network = Self::default();
        let start = network.state()?;
        let mut open = Vec::new();
        for (index, name) in (0..).zip(&rules.public) {
            let from = network.state()?;
            network.skip(start, from, 0.0);
            let rule = Expansion::Rule { name: name.clone(), line: 0 };
            let end = network.lay(&rule, from, None, rules, &mut open)?;
            let last = network.state()?;
            network.skip(end, last, 0.0);
            network.states[last as usize].rule = Some(index);
            network.rules.push(name.clone());
        }
        Ok(network)
    }

    fn state(&mut self) -> Result<StateId, GrammarError> {
        if self.states.len() >= MAX_STATES {
            return Err(GrammarError::TooLarge { states: MAX_STATES });
        }
        self.states.push(State::default());
        Ok(self.states.len() as StateId - 1)
    }

    fn skip(&mut self, from: StateId, to: StateId, weight: f32) {
        self.states[from as usize].skips.push((to, weight));
    }

    /// Lays an expansion from a state on; returns the state at its end. `open` names the rules being laid.
    fn lay(
        &mut self,
        expansion: &Expansion,
        from: StateId,
        slot: Option<u32>,
        rules: &jsgf::Rules,
        open: &mut Vec<String>,
    ) -> Result<StateId, GrammarError> {
        self.parts += 1;
        if self.parts > MAX_PARTS || open.len() > MAX_DEPTH {
            return Err(GrammarError::TooLarge { states: MAX_STATES });
        }
        match expansion {
            Expansion::Word(words) => words.split_whitespace().try_fold(from, |from, word| {
                let to = self.state()?;
                self.states[from as usize].words.push(self.edges.len() as u32);
                self.edges.push(Edge { word: word.into(), to, slot });
                Ok(to)
            }),
            Expansion::Rule { name, line } => {
                let Some(rule) = rules.rules.get(name) else {
                    return Err(GrammarError::UndefinedRule { name: name.clone(), line: *line });
                };
                if open.contains(name) {
                    return Err(GrammarError::Recursive { name: name.clone() });
                }
                open.push(name.clone());
                let end = self.lay(rule, from, slot, rules, open);
                open.pop();
                end
            }
            Expansion::Sequence(parts) => {
                parts.iter().try_fold(from, |from, part| self.lay(part, from, slot, rules, open))
            }
            Expansion::Alternatives(alternatives) => {
                let most = alternatives.iter().map(|(weight, _)| *weight).fold(0.0, f32::max);
                let to = self.state()?;
                for (weight, alternative) in alternatives.iter().filter(|(weight, _)| *weight > 0.0) {
                    let start = self.state()?;
                    self.skip(from, start, (weight / most).ln());
                    let end = self.lay(alternative, start, slot, rules, open)?;
                    self.skip(end, to, 0.0);
                }
                Ok(to)
            }
            Expansion::Optional(inner) => {
                let start = self.state()?;
                self.skip(from, start, 0.0);
                let end = self.lay(inner, start, slot, rules, open)?;
                self.skip(from, end, 0.0);
                Ok(end)
            }
            Expansion::Repeated(inner) => {
                let start = self.state()?;
                self.skip(from, start, 0.0);
                let end = self.lay(inner, start, slot, rules, open)?;
                let to = self.state()?;
                self.skip(end, start, 0.0);
                self.skip(end, to, 0.0);
                Ok(to)
            }
            Expansion::Slot { name, value, inner } => {
                let tag = self.slots.len() as u32;
                self.slots.push(SlotTag { name: name.clone(), value: value.clone() });
                self.lay(inner, from, Some(tag), rules, open)
            }
            Expansion::Garbage => {
                let (garbage, to) = (self.state()?, self.state()?);
                self.states[garbage as usize].garbage = true;
                self.skip(from, garbage, 0.0);
                self.skip(garbage, to, 0.0);
                Ok(to)
            }
            Expansion::Null => Ok(from),
            Expansion::Void => self.state(),
        }
    }

    /// States that are reached from a state without a word, itself included, with the best weight to each.
    pub(super) fn closure(&self, from: StateId) -> Vec<(StateId, f32)> {
        let mut best = HashMap::from([(from, 0.0)]);
        let mut open = vec![(from, 0.0)];
        while let Some((state, weight)) = open.pop() {
            for &(to, step) in &self.states[state as usize].skips {
                let total = weight + step;
                if best.get(&to).is_none_or(|best| total > *best) {
                    best.insert(to, total);
                    open.push((to, total));
                }
            }
        }
        let mut reached: Vec<_> = best.into_iter().collect();
        // The same grammar always makes the same automaton.
        reached.sort_unstable_by_key(|&(state, _)| state);
        reached
    }

    /// Best weight of ending at a state, and the rule that is complete then.
    pub(super) fn end(&self, state: StateId) -> Option<(f32, u32)> {
        let ends = self.closure(state).into_iter();
        let ends = ends.filter_map(|(state, weight)| Some((weight, self.states[state as usize].rule?)));
        ends.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)))
    }
}
