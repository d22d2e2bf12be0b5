//! The rules of a grammar as one network of words: states, steps that take nothing, and words between them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BinaryHeap};

use super::{GrammarError, jsgf};
use jsgf::Expansion;

/// Most states of a network.
const MAX_STATES: usize = 100_000;

/// Most parts of rules that are laid out; there are several to a state.
const MAX_PARTS: usize = 10 * MAX_STATES;

/// Most steps from states to those that follow without a word, of all states together.
const MAX_STEPS: usize = 2_000_000;

/// Deepest nesting of rules.
const MAX_DEPTH: usize = 64;

/// Deepest nesting of parts, over all rules that are open: each takes room on the stack of the caller's thread.
const MAX_PART_DEPTH: usize = 5 * MAX_DEPTH;

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
    /// How deep the part being laid is nested.
    depth: usize,
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

/// What follows a state without a word.
#[derive(Debug)]
pub(super) struct Following {
    /// The states, the first itself included, with the best logarithmic weight to each; in their order.
    pub(super) states: Vec<(StateId, f32)>,
    /// Best weight of ending, and the rule that is complete then.
    pub(super) end: Option<(f32, u32)>,
}

/// A state that waits for its steps to be taken; that of the best weight comes first.
struct Open {
    weight: f32,
    state: StateId,
}

impl PartialEq for Open {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Open {}

impl PartialOrd for Open {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Open {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.weight.total_cmp(&other.weight).then(other.state.cmp(&self.state))
    }
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
        network.shorten();
        Ok(network)
    }

    /// Lets words end past the states after which there is but one free step. The words of a list then end at the same
    /// state, and what follows is found, and kept, for all of them at once.
    fn shorten(&mut self) {
        for edge in &mut self.edges {
            while let State { skips, words, garbage: false, rule: None } = &self.states[edge.to as usize]
                && let ([(to, 0.0)], []) = (skips.as_slice(), words.as_slice())
                && *to != edge.to
            {
                edge.to = *to;
            }
        }
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
        self.depth += 1;
        if self.parts > MAX_PARTS || open.len() > MAX_DEPTH || self.depth > MAX_PART_DEPTH {
            return Err(GrammarError::TooLarge { states: MAX_STATES });
        }
        let end = self.lay_part(expansion, from, slot, rules, open);
        self.depth -= 1;
        end
    }

    fn lay_part(
        &mut self,
        expansion: &Expansion,
        from: StateId,
        slot: Option<u32>,
        rules: &jsgf::Rules,
        open: &mut Vec<String>,
    ) -> Result<StateId, GrammarError> {
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

    /// What follows the start, each word, and any speech.
    pub(super) fn following(&self) -> Result<BTreeMap<StateId, Following>, GrammarError> {
        let garbage = (0..).zip(&self.states).filter(|(_, state)| state.garbage).map(|(id, _)| id);
        let from = std::iter::once(0).chain(self.edges.iter().map(|edge| edge.to)).chain(garbage);
        let mut best = vec![f32::NEG_INFINITY; self.states.len()];
        let (mut found, mut steps) = (BTreeMap::new(), 0);
        for from in from {
            if let Entry::Vacant(entry) = found.entry(from) {
                let states = self.closure(from, &mut best, &mut steps)?;
                let ends = states.iter().filter_map(|&(id, weight)| Some((weight, self.states[id as usize].rule?)));
                let end = ends.max_by(|a, b| a.0.total_cmp(&b.0).then(b.1.cmp(&a.1)));
                entry.insert(Following { states, end });
            }
        }
        Ok(found)
    }

    /// States that are reached from a state without a word, itself included, with the best weight to each (Dijkstra 1959:
    /// no weight is above 0). `best` holds negative infinity for every state before and after; `steps` counts.
    fn closure(&self, from: StateId, best: &mut [f32], steps: &mut usize) -> Result<Vec<(StateId, f32)>, GrammarError> {
        best[from as usize] = 0.0;
        let mut reached = vec![from];
        let mut open = BinaryHeap::from([Open { weight: 0.0, state: from }]);
        while let Some(Open { weight, state }) = open.pop() {
            if weight < best[state as usize] {
                continue;
            }
            for &(to, step) in &self.states[state as usize].skips {
                *steps += 1;
                let total = weight + step;
                let known = &mut best[to as usize];
                if total > *known {
                    if *known == f32::NEG_INFINITY {
                        reached.push(to);
                    }
                    *known = total;
                    open.push(Open { weight: total, state: to });
                }
            }
            if *steps > MAX_STEPS {
                return Err(GrammarError::TooDense { steps: MAX_STEPS });
            }
        }
        // The same grammar always makes the same automaton.
        reached.sort_unstable();
        Ok(reached
            .into_iter()
            .map(|state| (state, std::mem::replace(&mut best[state as usize], f32::NEG_INFINITY)))
            .collect())
    }
}
