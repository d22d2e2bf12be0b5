//! An n-gram model of token sequences in little memory: a back-off model as a trie in level order, whose scores are
//! rounded to a byte (as Heafield 2011, "KenLM: faster and smaller language model queries", section 3.2) and whose shape
//! is a bitmap of the nodes that have children, and how many each of these has (after Jacobson 1989, "Space-efficient
//! static trees and graphs"). An n-gram that nothing follows takes 2 bytes and a bit, another 4.
//!
//! Tokens are numbered as in the recognizer; the start and the end of a sentence follow them. The layout is in
//! `models/FORMAT.md`.

mod file;

use std::ops::Range;

use super::config::{NgramConfig, Quantization};
use crate::nn::Shared;
pub(crate) use file::is_container;

/// A node of the trie: the n-gram that leads to it.
pub type NodeId = u32;

/// The node of the empty n-gram.
pub const ROOT: NodeId = 0;

/// Most tokens of an n-gram.
pub const MAX_ORDER: usize = 12;

/// Nodes, or nodes with children, between two entries of a directory.
const BLOCK: usize = 64;

/// Scores beyond are not told apart.
const MOST_NATS: f32 = 20.0;

/// Names of the tables in a file, after [`PREFIX`].
const TABLES: [&str; 5] = ["tokens", "scores", "parents", "children", "back_offs"];

/// How the names of the tables begin.
const PREFIX: &str = "language_model.";

/// A back-off model. Clones share the tables.
#[derive(Clone, Debug)]
pub struct Ngrams {
    config: NgramConfig,
    vocab_size: u32,
    tables: Tables,
    /// Nodes with children before each block of nodes.
    parents_before: Vec<u32>,
    /// The first child of the first of each block of nodes with children.
    first_children: Vec<u32>,
}

/// The tables as they lie in a file.
#[derive(Clone, Debug)]
pub(super) struct Tables {
    /// The last token of each n-gram.
    pub tokens: Symbols,
    /// What it adds to the score after the others, quantized.
    pub scores: Shared<u8>,
    /// A bit for each node: whether it has children. Whole words of 64 bits, lowest first.
    pub parents: Shared<u8>,
    /// For each node with children, their number less one.
    pub children: Symbols,
    /// For each node with children, what backing off from it adds to the score, quantized.
    pub back_offs: Shared<u8>,
}

/// Numbers below the number of symbols: bytes where they fit.
#[derive(Clone, Debug)]
pub(super) enum Symbols {
    Narrow(Shared<u8>),
    Wide(Shared<u16>),
}

/// A node on its way into the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Node {
    pub token: u32,
    pub children: u32,
    /// Natural logarithm of what it counts after the tokens before it.
    pub score: f32,
    /// Natural logarithm of the weight of backing off from it.
    pub back_off: f32,
}

impl Symbols {
    /// Whether the numbers of a vocabulary are bytes.
    fn are_narrow(vocab_size: usize) -> bool {
        vocab_size + 2 <= 1 << 8
    }

    fn new(vocab_size: usize, numbers: impl Iterator<Item = u32>) -> Self {
        match Self::are_narrow(vocab_size) {
            true => Self::Narrow(numbers.map(|number| number as u8).collect::<Vec<_>>().into()),
            false => Self::Wide(numbers.map(|number| number as u16).collect::<Vec<_>>().into()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Narrow(numbers) => numbers.len(),
            Self::Wide(numbers) => numbers.len(),
        }
    }

    fn sum(&self, range: Range<usize>) -> u32 {
        match self {
            Self::Narrow(numbers) => numbers[range].iter().map(|&number| u32::from(number)).sum(),
            Self::Wide(numbers) => numbers[range].iter().map(|&number| u32::from(number)).sum(),
        }
    }

    fn get(&self, at: usize) -> u32 {
        match self {
            Self::Narrow(numbers) => numbers[at].into(),
            Self::Wide(numbers) => numbers[at].into(),
        }
    }

    fn find(&self, range: Range<usize>, number: u32) -> Option<usize> {
        let found = match self {
            Self::Narrow(numbers) => numbers[range].binary_search(&u8::try_from(number).ok()?),
            Self::Wide(numbers) => numbers[range].binary_search(&u16::try_from(number).ok()?),
        };
        found.ok()
    }

    #[cfg(feature = "reference")]
    fn dtype(&self) -> &'static str {
        match self {
            Self::Narrow(_) => "U8",
            Self::Wide(_) => "U16",
        }
    }

    #[cfg(feature = "reference")]
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Narrow(numbers) => numbers,
            Self::Wide(numbers) => bytemuck::cast_slice(numbers),
        }
    }
}

impl Quantization {
    /// Covers these values, which are at most [`MOST_NATS`] from zero here.
    fn of(values: impl Iterator<Item = f32> + Clone) -> Self {
        let within = values.map(|value| value.clamp(-MOST_NATS, MOST_NATS));
        let least = within.clone().fold(f32::INFINITY, f32::min).min(MOST_NATS);
        let most = within.fold(least, f32::max);
        Self { least, step: (most - least) / 255.0 }
    }

    fn byte(self, value: f32) -> u8 {
        if self.step > 0.0 { ((value - self.least) / self.step).round() as u8 } else { 0 }
    }

    fn value(self, byte: u8) -> f32 {
        self.least + self.step * f32::from(byte)
    }
}

impl Ngrams {
    /// Packs nodes in level order, the root first, the children of each sorted by token. `None` when the tokens are more
    /// than 65,534.
    pub(crate) fn pack(nodes: &[Node], vocab_size: usize) -> Option<Self> {
        if vocab_size + 2 > 1 << 16 {
            return None;
        }
        let parents = || nodes.iter().filter(|node| node.children > 0);
        let scores = Quantization::of(nodes.iter().skip(1).map(|node| node.score));
        let back_offs = Quantization::of(parents().map(|node| node.back_off));
        let mut bits = vec![0_u8; nodes.len().div_ceil(BLOCK) * BLOCK / 8];
        for (at, _) in nodes.iter().enumerate().filter(|(_, node)| node.children > 0) {
            bits[at / 8] |= 1 << (at % 8);
        }
        let tables = Tables {
            tokens: Symbols::new(vocab_size, nodes.iter().map(|node| node.token)),
            scores: nodes.iter().map(|node| scores.byte(node.score)).collect::<Vec<_>>().into(),
            parents: bits.into(),
            children: Symbols::new(vocab_size, parents().map(|node| node.children - 1)),
            back_offs: parents().map(|node| back_offs.byte(node.back_off)).collect::<Vec<_>>().into(),
        };
        let config = NgramConfig {
            nodes: nodes.len(),
            parents: parents().count(),
            scores,
            back_offs,
            weight: NgramConfig::DEFAULT_WEIGHT,
            token_reward: NgramConfig::DEFAULT_TOKEN_REWARD,
            internal_weight: 0.0,
        };
        Self::new(config, tables, vocab_size).ok()
    }

    /// Takes tables after a check that they are a trie.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn new(config: NgramConfig, tables: Tables, vocab_size: usize) -> Result<Self, String> {
        let lengths = [
            (tables.tokens.len(), config.nodes),
            (tables.scores.len(), config.nodes),
            (tables.parents.len(), config.nodes.div_ceil(BLOCK) * BLOCK / 8),
            (tables.children.len(), config.parents),
            (tables.back_offs.len(), config.parents),
        ];
        for ((found, expected), name) in lengths.into_iter().zip(TABLES) {
            if found != expected {
                return Err(format!("`{name}` has {found} entries, not {expected}"));
            }
        }
        let mut parents_before = Vec::with_capacity(config.nodes.div_ceil(BLOCK));
        let mut parents = 0;
        for word in tables.words() {
            parents_before.push(parents);
            parents += word.count_ones();
        }
        if parents as usize != config.parents {
            return Err(format!("{parents} nodes have children, not {}", config.parents));
        }
        // The tables are borrowed once: looking a mapped file up for each node would take as long as the check.
        let bound = vocab_size as u32 + 2;
        let first_children = match (&tables.tokens, &tables.children) {
            (Symbols::Narrow(tokens), Symbols::Narrow(children)) => {
                check_shape(tables.words(), tokens, children, bound)
            }
            (Symbols::Wide(tokens), Symbols::Wide(children)) => check_shape(tables.words(), tokens, children, bound),
            _ => Err("`tokens` and `children` are of different types".into()),
        }?;
        Ok(Self { config, vocab_size: vocab_size as u32, tables, parents_before, first_children })
    }

    /// What the tables hold, and how much they count.
    pub fn config(&self) -> &NgramConfig {
        &self.config
    }

    /// Makes it count as these numbers say.
    pub(crate) fn set_weights(&mut self, weight: f32, token_reward: f32, internal_weight: f32) {
        self.config = NgramConfig { weight, token_reward, internal_weight, ..self.config.clone() };
    }

    /// Tokens without the start and the end of a sentence.
    pub(crate) fn vocab_size(&self) -> u32 {
        self.vocab_size
    }

    /// Whether anything is known to follow a node.
    pub(crate) fn has_children(&self, node: NodeId) -> bool {
        self.tables.parents[node as usize / 8] >> (node % 8) & 1 == 1
    }

    /// The node of a context with one more token.
    pub(crate) fn child(&self, node: NodeId, token: u32) -> Option<NodeId> {
        let children = self.children(node)?;
        let at = self.tables.tokens.find(children.clone(), token)?;
        Some((children.start + at) as NodeId)
    }

    /// Tells the token and the score of each child.
    pub(crate) fn for_each_child(&self, node: NodeId, mut tell: impl FnMut(u32, f32)) {
        let Some(children) = self.children(node) else { return };
        let scores = self.tables.scores[children.clone()].iter().map(|&byte| self.config.scores.value(byte));
        match &self.tables.tokens {
            Symbols::Narrow(tokens) => {
                tokens[children].iter().zip(scores).for_each(|(&token, score)| tell(token.into(), score));
            }
            Symbols::Wide(tokens) => {
                tokens[children].iter().zip(scores).for_each(|(&token, score)| tell(token.into(), score));
            }
        }
    }

    /// What the last token of a node counts after the others, in natural logarithms.
    pub(crate) fn score(&self, node: NodeId) -> f32 {
        self.config.scores.value(self.tables.scores[node as usize])
    }

    /// What backing off from a node counts; zero for one that nothing follows.
    pub(crate) fn back_off(&self, node: NodeId) -> f32 {
        match self.has_children(node) {
            true => self.config.back_offs.value(self.tables.back_offs[self.parent_index(node)]),
            false => 0.0,
        }
    }

    fn children(&self, node: NodeId) -> Option<Range<usize>> {
        if !self.has_children(node) {
            return None;
        }
        let parent = self.parent_index(node);
        let block = parent / BLOCK * BLOCK;
        let before = self.tables.children.sum(block..parent) as usize + parent - block;
        let start = self.first_children[parent / BLOCK] as usize + before;
        Some(start..start + self.tables.children.get(parent) as usize + 1)
    }

    /// The number of nodes with children before this one.
    fn parent_index(&self, node: NodeId) -> usize {
        let (block, bit) = (node as usize / BLOCK, node as usize % BLOCK);
        let before = self.tables.word(block) & ((1 << bit) - 1);
        (self.parents_before[block] + before.count_ones()) as usize
    }
}

/// Walks the levels of a trie, given which nodes have children: checks that the children of each node come after it, and that
/// their tokens ascend and are below `bound`. Returns the first child of the first of each block of nodes with children.
fn check_shape<T: Copy + PartialOrd + Into<u32>>(
    parents: impl Iterator<Item = u64>,
    tokens: &[T],
    children: &[T],
    bound: u32,
) -> Result<Vec<u32>, String> {
    let nodes = tokens.len();
    let (mut first, mut depth, mut level_end) = (1_usize, 0, 1);
    let mut first_children = Vec::with_capacity(children.len().div_ceil(BLOCK));
    let mut counts = children.iter().map(|&less_one| less_one.into() as usize + 1).enumerate();
    for (word, at) in parents.zip((0..).step_by(BLOCK)) {
        let mut rest = word;
        while rest != 0 {
            let node = at + rest.trailing_zeros() as usize;
            rest &= rest - 1;
            if node >= level_end {
                depth += 1;
                level_end = first;
            }
            let Some((parent, count)) = counts.next() else {
                return Err(format!("nothing tells how many children node {node} has"));
            };
            if parent % BLOCK == 0 {
                first_children.push(first as u32);
            }
            let end = first + count;
            if node >= first || end > nodes || depth >= MAX_ORDER {
                return Err(format!("the children of node {node} are out of place"));
            }
            let following = &tokens[first..end];
            if !following.is_sorted_by(|a, b| a < b) || following[count - 1].into() >= bound {
                return Err(format!("the tokens after node {node} are not sorted, or none of the model"));
            }
            first = end;
        }
    }
    if first == nodes { Ok(first_children) } else { Err(format!("{first} of {nodes} nodes are reached")) }
}

impl PartialEq for Ngrams {
    fn eq(&self, other: &Self) -> bool {
        let symbols = |a: &Symbols, b: &Symbols| match (a, b) {
            (Symbols::Narrow(a), Symbols::Narrow(b)) => **a == **b,
            (Symbols::Wide(a), Symbols::Wide(b)) => **a == **b,
            _ => false,
        };
        let (a, b) = (&self.tables, &other.tables);
        self.config == other.config
            && self.vocab_size == other.vocab_size
            && symbols(&a.tokens, &b.tokens)
            && symbols(&a.children, &b.children)
            && [&a.scores, &a.parents, &a.back_offs].map(|table| &**table)
                == [&b.scores, &b.parents, &b.back_offs].map(|table| &**table)
    }
}

impl Tables {
    fn word(&self, at: usize) -> u64 {
        self.parents.as_chunks::<8>().0.get(at).map_or(0, |&bytes| u64::from_le_bytes(bytes))
    }

    fn words(&self) -> impl Iterator<Item = u64> {
        self.parents.as_chunks::<8>().0.iter().map(|&bytes| u64::from_le_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A trie of these n-grams, each with what it begins with: the last token's number is the score, back-offs are halves.
    fn trie(vocab_size: usize, mut ngrams: Vec<Vec<u32>>) -> (Ngrams, Vec<Vec<u32>>) {
        let beginnings: Vec<_> =
            ngrams.iter().flat_map(|ngram| (0..ngram.len()).map(|n| ngram[..n].to_vec())).collect();
        ngrams.extend(beginnings);
        ngrams.push(Vec::new());
        ngrams.sort_unstable_by_key(|ngram| (ngram.len(), ngram.clone()));
        ngrams.dedup();
        let nodes: Vec<Node> = ngrams
            .iter()
            .map(|ngram| Node {
                token: ngram.last().copied().unwrap_or(0),
                children: ngrams.iter().filter(|n| n.len() == ngram.len() + 1 && n.starts_with(ngram)).count() as u32,
                score: -(ngram.last().copied().unwrap_or(0) as f32) / 16.0,
                back_off: -(ngram.len() as f32) / 2.0,
            })
            .collect();
        (Ngrams::pack(&nodes, vocab_size).unwrap(), ngrams)
    }

    fn find(model: &Ngrams, ngram: &[u32]) -> Option<NodeId> {
        ngram.iter().try_fold(ROOT, |node, &token| model.child(node, token))
    }

    fn damaged(model: &Ngrams, damage: impl FnOnce(&mut NgramConfig, &mut Tables)) -> String {
        let (mut config, mut tables) = (model.config.clone(), model.tables.clone());
        damage(&mut config, &mut tables);
        Ngrams::new(config, tables, model.vocab_size as usize).unwrap_err()
    }

    #[test]
    fn damaged_tables_are_refused() {
        let (model, _) = trie(4, vec![vec![0, 1, 2], vec![1, 2], vec![3]]);
        let tokens = |tokens: &[u8]| Symbols::Narrow(Shared::from(tokens));
        assert!(damaged(&model, |config, _| config.nodes = 5).contains("`tokens`"));
        assert!(damaged(&model, |_, tables| tables.parents = Shared::from(vec![0xFF; 8])).contains("have children"));
        let sorted = model.tables.tokens.bytes().to_vec();
        let mut unsorted = sorted.clone();
        unsorted.swap(1, 2);
        assert!(damaged(&model, |_, tables| tables.tokens = tokens(&unsorted)).contains("not sorted"));
        let foreign: Vec<u8> = sorted.iter().map(|&token| if token == 3 { 6 } else { token }).collect();
        assert!(damaged(&model, |_, tables| tables.tokens = tokens(&foreign)).contains("none of the model"));
        let mut children = model.tables.children.bytes().to_vec();
        *children.last_mut().unwrap() += 1;
        assert!(damaged(&model, |_, tables| tables.children = tokens(&children)).contains("out of place"));
        *children.last_mut().unwrap() -= 1;
        children[0] -= 1;
        assert!(damaged(&model, |_, tables| tables.children = tokens(&children)).contains("reached"));
    }

    #[test]
    fn a_node_that_is_its_own_child_is_refused() {
        let tables = Tables {
            tokens: Symbols::Narrow(Shared::from(vec![0, 0])),
            scores: Shared::from(vec![0, 0]),
            parents: Shared::from(vec![2, 0, 0, 0, 0, 0, 0, 0]),
            children: Symbols::Narrow(Shared::from(vec![0])),
            back_offs: Shared::from(vec![0]),
        };
        let (model, _) = trie(4, vec![vec![0]]);
        let error = Ngrams::new(model.config.clone(), tables, 4).unwrap_err();
        assert!(error.contains("out of place"), "{error}");
    }

    #[test]
    fn large_vocabularies_have_wide_numbers() {
        let ngrams: Vec<Vec<u32>> = (0..600).map(|token| vec![token, 599 - token]).collect();
        let (model, ngrams) = trie(600, ngrams);
        assert!(matches!(model.tables.tokens, Symbols::Wide(_)));
        for ngram in ngrams {
            assert!(find(&model, &ngram).is_some(), "{ngram:?}");
        }
        assert_eq!(find(&model, &[3, 3]), None);
        assert!(Ngrams::pack(&[], 1 << 16).is_none());
    }

    proptest! {
        #[test]
        fn what_is_packed_is_found(ngrams in prop::collection::vec(prop::collection::vec(0_u32..9, 1..7), 1..400)) {
            let (model, all) = trie(7, ngrams);
            prop_assert_eq!(model.config.nodes, all.len());
            for ngram in &all {
                let node = find(&model, ngram).unwrap();
                let followed = all.iter().any(|other| other.len() > ngram.len() && other.starts_with(ngram));
                prop_assert_eq!(model.has_children(node), followed);
                if let Some(&last) = ngram.last() {
                    prop_assert!((model.score(node) + last as f32 / 16.0).abs() < 0.01);
                }
                let back_off = if followed { -(ngram.len() as f32) / 2.0 } else { 0.0 };
                prop_assert!((model.back_off(node) - back_off).abs() < 0.01);
                let mut told = 0;
                model.for_each_child(node, |token, score| {
                    told += 1;
                    assert_eq!(score, model.score(model.child(node, token).unwrap()));
                });
                prop_assert_eq!(told, (0..9).filter(|&token| model.child(node, token).is_some()).count());
            }
        }

        #[test]
        fn any_tables_are_read_or_refused(
            tokens in prop::collection::vec(0_u8..6, 1..200),
            bits in prop::collection::vec(any::<u8>(), 32),
            children in prop::collection::vec(0_u8..4, 0..200),
        ) {
            let (nodes, parents) = (tokens.len(), children.len());
            let (model, _) = trie(4, vec![vec![0]]);
            let config = NgramConfig { nodes, parents, ..model.config.clone() };
            let tables = Tables {
                tokens: Symbols::Narrow(tokens.into()),
                scores: vec![7; nodes].into(),
                parents: bits[..nodes.div_ceil(BLOCK) * 8].to_vec().into(),
                children: Symbols::Narrow(children.into()),
                back_offs: vec![9; parents].into(),
            };
            if let Ok(model) = Ngrams::new(config, tables, 4) {
                for node in 0..nodes as NodeId {
                    model.for_each_child(node, |token, _| assert!(model.child(node, token).is_some_and(|c| c > node)));
                }
            }
        }
    }
}
