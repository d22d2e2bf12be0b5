//! The Aho–Corasick automaton (Aho and Corasick 1975) over the bytes of spelled phrases, walked a token at a time.
//!
//! A state is the longest end of the text so far that is the start of a phrase. States are places between bytes and not
//! between the pieces of one segmentation, so every segmentation of a phrase takes the same path. Only the states that a
//! sequence of tokens can reach, and that can reach the end of a phrase, have arcs.
//!
//! Each state has a credit: the phrase's boost times the square of the share of its letters. The first letters, which many
//! other words share, earn little, so that a long list does not favour every word that begins like one of it. A step is worth the credit of the
//! new state less that of the old one, so the steps of an abandoned match add up to nothing (a refund), and those of a
//! finished one to the boost.

use super::super::spelling::{PieceTrie, Speller};
use crate::model::tokens::Tokens;

/// One spelling of a phrase.
#[derive(Clone, Debug)]
pub(super) struct Spelling {
    pub(super) bytes: Vec<u8>,
    /// Credit of the whole phrase, natural logarithm.
    pub(super) boost: f32,
    /// The tokens to write instead of those that matched.
    pub(super) written: Option<Vec<u32>>,
}

/// Where a hypothesis stands in the automaton.
pub(in crate::decode) type State = u32;

/// No letter of a phrase was heard.
pub(in crate::decode) const ROOT: State = 0;

const NONE: u32 = u32::MAX;

#[derive(Debug)]
pub(super) struct Automaton {
    nodes: Vec<Node>,
    /// Of all nodes, those of one in a row and sorted by token.
    arcs: Vec<Arc>,
    /// The state after each token when it continues no match.
    restart: Vec<State>,
    /// Tokens whose restart is not the root.
    restarting: Vec<u32>,
    starts_word: Vec<bool>,
    /// The spellings that are written differently.
    rewrites: Vec<Rewrite>,
}

#[derive(Clone, Copy, Debug)]
struct Arc {
    token: u32,
    target: State,
}

/// What is written instead of the tokens of a match.
#[derive(Debug)]
pub(in crate::decode) struct Rewrite {
    /// Bytes of the pieces that are replaced.
    pub(in crate::decode) bytes: usize,
    pub(in crate::decode) written: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Node {
    /// The longest proper end of this state that is a state.
    fail: State,
    /// The next state on the way along `fail` that has arcs.
    fallback: State,
    first_arc: u32,
    arcs: u32,
    /// Credit of the letters so far.
    credit: f32,
    /// What remains of it when the next token goes on with the word, and when it starts a new one.
    kept: [f32; 2],
    /// Index of the rewrite that a word start makes, or [`NONE`].
    rewrite: u32,
    /// Bytes of the match.
    depth: u32,
    /// Whether a spelling that is written differently may be under way.
    pending: bool,
}

/// The result of a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::decode) struct Step {
    pub(in crate::decode) state: State,
    /// Logarithmic credit, negative for a refund.
    pub(in crate::decode) credit: f32,
}

impl Automaton {
    pub(super) fn new(spellings: &[Spelling], speller: &Speller, tokens: &Tokens) -> Self {
        let mut trie = Trie::new(spellings);
        trie.link();
        let mut automaton = Self {
            nodes: trie.nodes.iter().map(|node| node.out).collect(),
            arcs: Vec::new(),
            restart: Vec::new(),
            restarting: Vec::new(),
            starts_word: (0..tokens.len() as u32).map(|id| tokens.is_word_start(id)).collect(),
            rewrites: trie.rewrites.drain(..).collect(),
        };
        automaton.add_arcs(&trie, speller.trie());
        automaton.restart = (0..tokens.len() as u32).map(|id| automaton.restart_of(&trie, tokens, id)).collect();
        automaton.restarting = (0..).zip(&automaton.restart).filter(|(_, to)| **to != ROOT).map(|(id, _)| id).collect();
        automaton
    }

    /// Finds the arcs of the states that tokens reach, without those that lead to no phrase.
    fn add_arcs(&mut self, trie: &Trie, pieces: &PieceTrie) {
        let mut found: Vec<Option<Vec<Arc>>> = vec![None; self.nodes.len()];
        let mut open = vec![ROOT];
        while let Some(state) = open.pop() {
            if found[state as usize].is_some() {
                continue;
            }
            let arcs = trie.token_arcs(state, pieces);
            for arc in &arcs {
                let mut target = arc.target;
                while target != ROOT {
                    open.push(target);
                    target = self.nodes[target as usize].fail;
                }
            }
            found[state as usize] = Some(arcs);
        }
        // Children have higher indices than their parents, so ends are met first.
        let mut leads_to_end = vec![false; self.nodes.len()];
        for state in (0..self.nodes.len()).rev() {
            let arcs = found[state].get_or_insert_default();
            arcs.retain(|arc| leads_to_end[arc.target as usize]);
            leads_to_end[state] = trie.nodes[state].is_end || !arcs.is_empty();
        }
        for (node, arcs) in self.nodes.iter_mut().zip(found) {
            let mut arcs = arcs.unwrap_or_default();
            arcs.sort_unstable_by_key(|arc| arc.token);
            (node.first_arc, node.arcs) = (self.arcs.len() as u32, arcs.len() as u32);
            self.arcs.extend(arcs);
        }
        for state in 0..self.nodes.len() {
            let mut fallback = self.nodes[state].fail;
            while fallback != ROOT && self.nodes[fallback as usize].arcs == 0 {
                fallback = self.nodes[fallback as usize].fail;
            }
            self.nodes[state].fallback = fallback;
        }
    }

    /// The longest proper end of a token's bytes that starts a phrase. Pieces rarely hold a word mark within, so this
    /// is almost always the root.
    fn restart_of(&self, trie: &Trie, tokens: &Tokens, id: u32) -> State {
        let piece = tokens.piece(id).unwrap_or_default().as_bytes();
        if tokens.is_special(id) || tokens.byte(id).is_some() {
            return ROOT;
        }
        let walk = |from: usize| piece[from..].iter().try_fold(ROOT, |state, &byte| trie.child(state, byte));
        (1..piece.len()).find_map(walk).unwrap_or(ROOT)
    }

    fn arcs(&self, state: State) -> &[Arc] {
        let node = &self.nodes[state as usize];
        &self.arcs[node.first_arc as usize..][..node.arcs as usize]
    }

    fn arc(&self, state: State, token: u32) -> Option<State> {
        let arcs = self.arcs(state);
        arcs.binary_search_by_key(&token, |arc| arc.token).ok().map(|at| arcs[at].target)
    }

    /// Takes a token.
    pub(super) fn step(&self, state: State, token: u32) -> Step {
        let from = &self.nodes[state as usize];
        if let Some(next) = self.arc(state, token) {
            return Step { state: next, credit: self.nodes[next as usize].credit - from.credit };
        }
        let mut next = None;
        let mut at = state;
        while next.is_none() && at != ROOT {
            at = self.nodes[at as usize].fallback;
            next = self.arc(at, token);
        }
        let next = next.unwrap_or_else(|| self.restart.get(token as usize).copied().unwrap_or(ROOT));
        let kept = from.kept[usize::from(self.starts_word(token))];
        Step { state: next, credit: kept + self.nodes[next as usize].credit - from.credit }
    }

    /// What the end of the utterance is worth: the refund of an unfinished match.
    pub(super) fn finish(&self, state: State) -> f32 {
        let node = &self.nodes[state as usize];
        node.kept[1] - node.credit
    }

    /// Calls `take(token, credit)` for each token that starts or continues a match, with what it adds to that match.
    pub(super) fn each_gain(&self, state: State, starts_too: bool, mut take: impl FnMut(u32, f32)) {
        let mut at = state;
        while starts_too || at != ROOT {
            let credit = self.nodes[at as usize].credit;
            for arc in self.arcs(at) {
                if at == state || !self.continues(state, at, arc.token) {
                    take(arc.token, self.nodes[arc.target as usize].credit - credit);
                }
            }
            if at == ROOT {
                break;
            }
            at = self.nodes[at as usize].fallback;
        }
    }

    /// Adds what each token is worth after a state to its score.
    pub(super) fn add_credits(&self, state: State, scores: &mut [f32]) {
        let from = &self.nodes[state as usize];
        if state != ROOT {
            for (score, &starts_word) in scores.iter_mut().zip(&self.starts_word) {
                *score += from.kept[usize::from(starts_word)] - from.credit;
            }
        }
        let mut correct = |token: u32| {
            if let Some(score) = scores.get_mut(token as usize) {
                let refund = from.kept[usize::from(self.starts_word(token))] - from.credit;
                *score += self.step(state, token).credit - refund;
            }
        };
        self.each_gain(state, true, |token, _| correct(token));
        for &token in &self.restarting {
            if self.arc(ROOT, token).is_none() && !self.continues(state, ROOT, token) {
                correct(token);
            }
        }
    }

    /// Whether a longer match than the one at `end`, on the way from `state`, takes this token.
    fn continues(&self, state: State, end: State, token: u32) -> bool {
        let mut at = state;
        while at != end {
            if self.arc(at, token).is_some() {
                return true;
            }
            at = self.nodes[at as usize].fallback;
        }
        false
    }

    /// What to write instead of the last tokens when the next one starts a word or none follows.
    pub(super) fn rewrite(&self, state: State) -> Option<&Rewrite> {
        self.rewrites.get(self.nodes[state as usize].rewrite as usize)
    }

    /// Bytes at the end of the text that may yet be rewritten.
    pub(super) fn pending_bytes(&self, state: State) -> usize {
        let node = &self.nodes[state as usize];
        if node.pending { node.depth as usize } else { 0 }
    }

    /// Bytes of the match at a state.
    #[cfg(test)]
    pub(super) fn depth(&self, state: State) -> usize {
        self.nodes[state as usize].depth as usize
    }

    pub(super) fn starts_word(&self, token: u32) -> bool {
        self.starts_word.get(token as usize).copied().unwrap_or(false)
    }
}

/// The phrases by their bytes, while the automaton is made.
struct Trie {
    nodes: Vec<TrieNode>,
    rewrites: Vec<Rewrite>,
}

struct TrieNode {
    /// Sorted by byte.
    children: Vec<(u8, State)>,
    is_end: bool,
    /// Boost of the phrase that ends here.
    boost: f32,
    out: Node,
}

impl TrieNode {
    fn new() -> Self {
        let out = Node {
            fail: ROOT,
            fallback: ROOT,
            first_arc: 0,
            arcs: 0,
            credit: 0.0,
            kept: [0.0; 2],
            rewrite: NONE,
            depth: 0,
            pending: false,
        };
        Self { children: Vec::new(), is_end: false, boost: 0.0, out }
    }
}

impl Trie {
    /// Numbers nodes breadth first, so that every node comes after its parent and after its `fail`.
    fn new(spellings: &[Spelling]) -> Self {
        let mut trie = Self { nodes: vec![TrieNode::new()], rewrites: Vec::new() };
        let longest = spellings.iter().map(|spelling| spelling.bytes.len()).max().unwrap_or(0);
        let mut places = vec![ROOT; spellings.len()];
        let mut letters = vec![0; spellings.len()];
        for depth in 0..longest {
            for (i, spelling) in spellings.iter().enumerate() {
                let Some(&byte) = spelling.bytes.get(depth) else { continue };
                places[i] = trie.child_or_new(places[i], byte);
                letters[i] += usize::from(is_first_of_character(byte));
                let of = spelling.bytes.iter().filter(|&&byte| is_first_of_character(byte)).count();
                let node = &mut trie.nodes[places[i] as usize];
                let share = letters[i] as f32 / of as f32;
                node.out.credit = node.out.credit.max(spelling.boost * share * share);
                node.out.pending |= spelling.written.is_some();
                if depth + 1 == spelling.bytes.len() {
                    node.is_end = true;
                    node.boost = node.boost.max(spelling.boost);
                    // A phrase that is written as it is heard goes before one that only sounds so.
                    match &spelling.written {
                        None => node.out.rewrite = NONE,
                        Some(_) if !is_new_end(spellings, i) => {}
                        Some(written) => {
                            node.out.rewrite = trie.rewrites.len() as u32;
                            trie.rewrites.push(Rewrite { bytes: spelling.bytes.len(), written: written.clone() });
                        }
                    }
                }
            }
        }
        trie
    }

    fn child_or_new(&mut self, parent: State, byte: u8) -> State {
        let children = &self.nodes[parent as usize].children;
        match children.binary_search_by_key(&byte, |child| child.0) {
            Ok(at) => children[at].1,
            Err(at) => {
                let new = self.nodes.len() as State;
                self.nodes.push(TrieNode::new());
                self.nodes[parent as usize].children.insert(at, (byte, new));
                new
            }
        }
    }

    fn child(&self, state: State, byte: u8) -> Option<State> {
        let children = &self.nodes[state as usize].children;
        children.binary_search_by_key(&byte, |child| child.0).ok().map(|at| children[at].1)
    }

    /// Sets the links and what a failed match keeps.
    fn link(&mut self) {
        for parent in 0..self.nodes.len() {
            self.end_phrase(parent);
            for (byte, child) in self.nodes[parent].children.clone() {
                let fail = self.fail_of(parent as State, byte);
                let from = self.nodes[parent].out;
                // A phrase has been heard in full when a new word starts after it.
                let after_word = byte == super::super::spelling::WORD_MARK[0];
                let behind = self.nodes[fail as usize].out;
                let node = &mut self.nodes[child as usize].out;
                node.fail = fail;
                node.depth = from.depth + 1;
                node.kept[0] = from.kept[usize::from(after_word)].max(behind.kept[0]);
                node.pending |= behind.pending;
            }
        }
    }

    /// What is kept at a node when a word starts there; its `fail` was done before.
    fn end_phrase(&mut self, node: usize) {
        let behind = self.nodes[self.nodes[node].out.fail as usize].out;
        let TrieNode { boost, out, .. } = &mut self.nodes[node];
        out.kept[1] = out.kept[0].max(*boost).max(behind.kept[1]);
        out.credit = out.credit.max(out.kept[0]).max(behind.credit);
        if out.rewrite == NONE && *boost == 0.0 {
            out.rewrite = behind.rewrite;
        }
    }

    fn fail_of(&self, parent: State, byte: u8) -> State {
        if parent == ROOT {
            return ROOT;
        }
        let mut at = self.nodes[parent as usize].out.fail;
        loop {
            if let Some(next) = self.child(at, byte) {
                return next;
            }
            if at == ROOT {
                return ROOT;
            }
            at = self.nodes[at as usize].out.fail;
        }
    }

    /// The tokens that lead from a state further into a phrase.
    fn token_arcs(&self, state: State, pieces: &PieceTrie) -> Vec<Arc> {
        let mut arcs = Vec::new();
        let mut open = vec![(state, PieceTrie::ROOT)];
        while let Some((state, piece)) = open.pop() {
            for &(byte, next) in pieces.children(piece) {
                let Some(target) = self.child(state, byte) else { continue };
                if let Some(token) = pieces.token(next) {
                    arcs.push(Arc { token, target });
                }
                open.push((target, next));
            }
        }
        arcs
    }
}

/// Whether no earlier spelling has the same bytes.
fn is_new_end(spellings: &[Spelling], index: usize) -> bool {
    spellings[..index].iter().all(|earlier| earlier.bytes != spellings[index].bytes)
}

/// Whether a byte is the first of a UTF-8 character.
fn is_first_of_character(byte: u8) -> bool {
    byte & 0xC0 != 0x80
}
