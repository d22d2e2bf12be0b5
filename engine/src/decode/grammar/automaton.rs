//! The network of a grammar as an automaton over tokens.
//!
//! Its nodes are the states of the network in which a word may begin, and the places within words between which tokens
//! lead. It is not made deterministic: a text stands at a set of [`Place`]s.

use std::collections::{BTreeMap, HashMap};

use super::{
    GrammarError,
    network::{Following, Network, StateId},
};
use crate::decode::spelling::{PieceTrie, Speller, WORD_MARK};
use crate::model::tokens::Tokens;

/// Where a text may stand in the grammar, and the logarithmic weight of standing there. The best of a set is 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::decode) struct Place {
    pub(super) node: u32,
    pub(super) weight: f32,
}

/// Most places of one text; the best stay.
const MAX_PLACES: usize = 4096;

/// Logarithmic weight of each token of `<GARBAGE>`: worse than a word of the menu that fits, better than one that does
/// not.
const GARBAGE: f32 = -2.0;

/// Logarithmic weight of each letter of the last word that was not heard, when an utterance breaks off within it.
const UNHEARD: f32 = -1.0;

#[derive(Clone, Debug)]
pub(super) struct Automaton {
    nodes: Vec<Node>,
    /// Of all nodes, those of one in a row and sorted by token.
    arcs: Vec<Arc>,
    /// The words of the network's edges, their slots and the rules.
    pub(super) words: Vec<Word>,
    pub(super) slots: Vec<(String, Option<String>)>,
    pub(super) rules: Vec<String>,
    /// Added to the logarithmic weight of a token for each of its letters.
    pub(super) letter_reward: f32,
    /// Of all nodes, those of `<GARBAGE>` that follow, with their weights; those of one in a row.
    garbage_after: Vec<(u32, f32)>,
    /// Whether `<GARBAGE>` may begin with a token, and may go on with it.
    garbage: Vec<[bool; 2]>,
}

#[derive(Clone, Debug)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) slot: Option<u32>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Node {
    first_arc: u32,
    arcs: u32,
    /// The nodes of `<GARBAGE>` that any speech leads to.
    first_garbage: u32,
    garbages: u32,
    /// Whether this is such a node.
    in_garbage: bool,
    /// Weight of ending here, and the rule that is complete then.
    end: Option<(f32, u32)>,
}

/// A token that may follow.
#[derive(Clone, Copy, Debug)]
struct Arc {
    token: u32,
    target: u32,
    weight: f32,
    /// Letters of the token.
    letters: f32,
    /// Index of the word that the token is part of.
    word: u32,
}

/// A step of a text through the automaton: the place it came from, and the word of its token.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trace {
    pub(super) node: u32,
    pub(super) weight: f32,
    pub(super) from: usize,
    /// `None` in `<GARBAGE>`.
    pub(super) word: Option<u32>,
}

/// Most arcs.
const MAX_ARCS: usize = 2_000_000;

/// The arcs that enter the words of all edges.
#[derive(Default)]
struct Entries {
    arcs: Vec<Arc>,
    /// Where those of each edge end.
    ends: Vec<usize>,
}

impl Entries {
    fn of(&self, edge: u32) -> &[Arc] {
        let edge = edge as usize;
        let first = edge.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.arcs[first..self.ends[edge]]
    }
}

/// The ways through a word: from each byte to others by one token.
type WordPaths = Vec<(usize, u32, usize)>;

impl Automaton {
    pub(super) fn new(network: Network, speller: &Speller, tokens: &Tokens) -> Result<Self, GrammarError> {
        let ids = 0..tokens.len() as u32;
        let garbage = ids.map(|id| {
            let sounds = !tokens.is_special(id);
            [sounds && tokens.is_word_start(id), sounds]
        });
        let mut automaton = Self {
            nodes: vec![Node::default(); network.states.len()],
            arcs: Vec::new(),
            words: Vec::with_capacity(network.edges.len()),
            slots: network.slots.iter().map(|slot| (slot.name.clone(), slot.value.clone())).collect(),
            rules: network.rules.clone(),
            letter_reward: 0.0,
            garbage_after: Vec::new(),
            garbage: garbage.collect(),
        };
        let following = network.following()?;
        let entries = automaton.add_words(&network, &following, speller)?;
        for (&state, following) in &following {
            automaton.add_state(state, following, &network, &entries);
            if automaton.arcs.len() > MAX_ARCS {
                return Err(GrammarError::TooDense { steps: MAX_ARCS });
            }
        }
        let start = &automaton.nodes[0];
        if start.arcs == 0 && start.garbages == 0 && start.end.is_none() {
            return Err(GrammarError::Empty);
        }
        Ok(automaton)
    }

    /// Adds the nodes within all words. Returns the arcs that enter the word of each edge.
    fn add_words(
        &mut self,
        network: &Network,
        following: &BTreeMap<StateId, Following>,
        speller: &Speller,
    ) -> Result<Entries, GrammarError> {
        let mut spelled: HashMap<&str, (Vec<u8>, WordPaths)> = HashMap::new();
        let mut entries = Entries::default();
        for (word, edge) in (0..).zip(&network.edges) {
            if !spelled.contains_key(edge.word.as_str()) {
                let fail = |reason| GrammarError::Word { word: edge.word.clone(), reason };
                let bytes = speller.spell(&edge.word).map_err(fail)?;
                let paths = word_paths(&bytes, speller.trie());
                spelled.insert(&edge.word, (bytes, paths));
            }
            let (bytes, paths) = &spelled[edge.word.as_str()];
            let letters_before = letters_before(bytes);
            let letters = |from: usize, to: usize| letters_before[to] - letters_before[from];
            let mut node_at: Vec<Option<u32>> = vec![None; bytes.len() + 1];
            node_at[bytes.len()] = Some(edge.to);
            let end = following[&edge.to].end;
            for paths in paths.chunk_by(|a, b| a.0 == b.0) {
                let from = paths[0].0;
                let first = self.arcs.len();
                for &(_, token, to) in paths {
                    let target = *node_at[to].get_or_insert_with(|| {
                        let end = end.map(|(weight, rule)| (weight + UNHEARD * letters(to, bytes.len()), rule));
                        self.nodes.push(Node { end, ..Node::default() });
                        self.nodes.len() as u32 - 1
                    });
                    let arc = Arc { token, target, weight: 0.0, letters: letters(from, to), word };
                    if from == 0 { entries.arcs.push(arc) } else { self.arcs.push(arc) }
                }
                match node_at[from] {
                    Some(node) => self.close_node(node, first),
                    // The start of the word, or a place inside a mark, to which no path leads.
                    None => self.arcs.truncate(first),
                }
            }
            entries.ends.push(entries.arcs.len());
            self.words.push(Word { text: edge.word.clone(), slot: edge.slot });
        }
        Ok(entries)
    }

    /// Makes the arcs from the `first` on those of a node.
    fn close_node(&mut self, node: u32, first: usize) {
        let arcs = &mut self.arcs[first..];
        arcs.sort_unstable_by_key(|arc| arc.token);
        let node = &mut self.nodes[node as usize];
        (node.first_arc, node.arcs) = (first as u32, arcs.len() as u32);
    }

    /// Adds what may follow a state.
    fn add_state(&mut self, id: StateId, following: &Following, network: &Network, entries: &Entries) {
        let first = self.arcs.len();
        let node = &mut self.nodes[id as usize];
        node.end = following.end;
        node.in_garbage = network.states[id as usize].garbage;
        node.first_garbage = self.garbage_after.len() as u32;
        for &(reached, weight) in &following.states {
            let state = &network.states[reached as usize];
            if state.garbage {
                self.garbage_after.push((reached, weight));
                node.garbages += 1;
            }
            for &edge in &state.words {
                let entry = entries.of(edge).iter();
                self.arcs.extend(entry.map(|arc| Arc { weight: arc.weight + weight, ..*arc }));
            }
        }
        self.close_node(id, first);
    }

    /// Arcs of all nodes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.arcs.len()
    }

    pub(super) fn start(&self, places: &mut Vec<Place>) {
        places.clear();
        places.push(Place { node: 0, weight: 0.0 });
    }

    fn weight(&self, arc: &Arc) -> f32 {
        arc.weight + self.letter_reward * arc.letters
    }

    fn arcs(&self, node: &Node) -> &[Arc] {
        &self.arcs[node.first_arc as usize..][..node.arcs as usize]
    }

    fn garbage_after(&self, node: &Node) -> &[(u32, f32)] {
        &self.garbage_after[node.first_garbage as usize..][..node.garbages as usize]
    }

    fn arcs_with(&self, node: &Node, token: u32) -> &[Arc] {
        let arcs = self.arcs(node);
        let first = arcs.partition_point(|arc| arc.token < token);
        let count = arcs[first..].iter().take_while(|arc| arc.token == token).count();
        &arcs[first..][..count]
    }

    pub(super) fn add_weights(&self, places: &[Place], scores: &mut [f32], allowed: &mut [f32]) {
        allowed.fill(f32::NEG_INFINITY);
        for place in places {
            let node = &self.nodes[place.node as usize];
            for arc in self.arcs(node) {
                if let Some(best) = allowed.get_mut(arc.token as usize) {
                    *best = best.max(place.weight + self.weight(arc));
                }
            }
            let garbage = self.garbage_after(node).iter().map(|&(_, weight)| weight).reduce(f32::max);
            if let Some(weight) = garbage {
                let weight = place.weight + weight + GARBAGE;
                for (best, may) in allowed.iter_mut().zip(&self.garbage) {
                    if may[usize::from(node.in_garbage)] {
                        *best = best.max(weight);
                    }
                }
            }
        }
        for (score, weight) in scores.iter_mut().zip(allowed) {
            *score += *weight;
        }
    }

    /// The nodes after a token from one, with the weights and words of the arcs there.
    pub(super) fn targets(&self, node: u32, token: u32) -> impl Iterator<Item = (u32, f32, Option<u32>)> {
        let node = &self.nodes[node as usize];
        let may = self.garbage.get(token as usize).is_some_and(|may| may[usize::from(node.in_garbage)]);
        let garbage = if may { self.garbage_after(node) } else { &[] };
        let garbage = garbage.iter().map(|&(target, weight)| (target, weight + GARBAGE, None));
        let words = self.arcs_with(node, token).iter();
        words.map(|arc| (arc.target, self.weight(arc), Some(arc.word))).chain(garbage)
    }

    pub(super) fn step(&self, places: &mut Vec<Place>, token: u32, spare: &mut Vec<Place>) {
        spare.clear();
        for place in places.iter() {
            for (node, weight, _) in self.targets(place.node, token) {
                spare.push(Place { node, weight: place.weight + weight });
            }
        }
        spare.sort_unstable_by(|a, b| a.node.cmp(&b.node).then(b.weight.total_cmp(&a.weight)));
        spare.dedup_by_key(|place| place.node);
        if spare.len() > MAX_PLACES {
            spare.sort_unstable_by(|a, b| b.weight.total_cmp(&a.weight));
            spare.truncate(MAX_PLACES);
        }
        let best = spare.iter().map(|place| place.weight).fold(f32::NEG_INFINITY, f32::max);
        for place in spare.iter_mut() {
            place.weight -= best;
        }
        std::mem::swap(places, spare);
    }

    pub(super) fn final_weight(&self, places: &[Place]) -> f32 {
        let ends = places.iter().filter_map(|place| Some(place.weight + self.end(place.node)?.0));
        ends.fold(f32::NEG_INFINITY, f32::max)
    }

    pub(super) fn starts_word(&self, token: u32) -> bool {
        self.garbage.get(token as usize).is_some_and(|[begins, _]| *begins)
    }

    /// Weight of ending at a node, and the rule that is complete then.
    pub(super) fn end(&self, node: u32) -> Option<(f32, u32)> {
        self.nodes[node as usize].end
    }
}

/// Letters before each byte of a spelled word, and in all of it: characters that are not marks.
fn letters_before(spelled: &[u8]) -> Vec<f32> {
    let mut letters = 0.0;
    let counted = spelled.iter().enumerate().map(|(at, &byte)| {
        if byte & 0xC0 != 0x80 && !spelled[at..].starts_with(WORD_MARK) {
            letters += 1.0;
        }
        letters
    });
    std::iter::once(0.0).chain(counted).collect()
}

/// The tokens that lead through a spelled word, ordered by where they begin; those that lead nowhere are left out.
fn word_paths(bytes: &[u8], pieces: &PieceTrie) -> WordPaths {
    let mut paths = Vec::new();
    let mut reached = vec![false; bytes.len() + 1];
    reached[0] = true;
    for from in 0..bytes.len() {
        let mut node = PieceTrie::ROOT;
        for to in from + 1..=bytes.len() {
            let (true, Some(next)) = (reached[from], pieces.child(node, bytes[to - 1])) else { break };
            node = next;
            if let Some(token) = pieces.token(node) {
                reached[to] = true;
                paths.push((from, token, to));
            }
        }
    }
    let mut leads_to_end = vec![false; bytes.len() + 1];
    leads_to_end[bytes.len()] = true;
    for &(from, _, to) in paths.iter().rev() {
        leads_to_end[from] |= leads_to_end[to];
    }
    // A word that is spelled in two, as "drive-thru", has a mark within; a token may not stop inside a mark.
    paths.retain(|&(_, _, to)| leads_to_end[to] && !inside_mark(bytes, to));
    paths
}

/// Whether a place lies within the bytes of a word mark.
fn inside_mark(bytes: &[u8], at: usize) -> bool {
    (1..WORD_MARK.len()).any(|back| at >= back && bytes[at - back..].starts_with(WORD_MARK))
}
