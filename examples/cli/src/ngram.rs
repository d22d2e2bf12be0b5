//! Estimates n-gram models: interpolated absolute discounting with three discounts for each order (Chen and Goodman 1998,
//! "An empirical study of smoothing techniques for language modeling"), then entropy pruning (Stolcke 1998,
//! arXiv:cs/0006025) down to a number of n-grams.
//!
//! N-grams are packed into integers, first symbol highest, so that sorting puts the continuations of each context in a row
//! and one sort of all places in the text gives the counts of every length. Counts are plain ones, not Kneser–Ney's numbers
//! of contexts, which pruning spoils (Chelba et al. 2010, "Study on interaction between entropy pruning and Kneser–Ney
//! smoothing"). What the recognizer's own predictor has learned of its training texts can be taken off as a model of
//! pairs (low-order density ratio, Zheng et al. 2022, arXiv:2203.16776).

use std::io::{self, Write};

/// Texts and what to call their symbols.
pub struct Corpus {
    /// Names of the symbols, by their numbers.
    pub names: Vec<String>,
    /// The texts.
    pub texts: Vec<Text>,
}

/// Sequences that count alike. They hold neither start nor end; both are added.
pub struct Text {
    /// The sequences.
    pub sequences: Vec<Vec<u32>>,
    /// How often each of them counts.
    pub weight: f32,
}

/// Size of a model.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Most symbols of an n-gram.
    pub order: usize,
    /// Most n-grams. Those go whose loss changes the model least.
    pub ngrams: usize,
}

/// A back-off model.
pub struct Ngrams {
    names: Vec<String>,
    packing: Packing,
    /// By length, each sorted by its key.
    orders: Vec<Vec<Gram>>,
}

/// One n-gram.
#[derive(Clone, Copy, Debug)]
struct Gram {
    key: u128,
    /// Of its last symbol after the others.
    probability: f64,
    /// What backing off from the context without it would say instead.
    lower: f64,
    /// Weight of backing off from it, as a context.
    back_off: f64,
    /// How often it stands in the texts, weighed.
    count: f64,
}

/// How often an n-gram stands in the texts, weighed, and as it is.
#[derive(Clone, Copy, Debug, Default)]
struct Count {
    key: u128,
    weighed: f64,
    plain: u64,
}

/// How sequences are packed into integers.
#[derive(Clone, Copy, Debug)]
struct Packing {
    bits: usize,
    symbols: u128,
}

impl Packing {
    fn new(symbols: usize) -> Self {
        // The start, the end, and what lies beyond it.
        let bits = (usize::BITS - (symbols + 2).leading_zeros()) as usize;
        Self { bits, symbols: symbols as u128 }
    }

    fn start(self) -> u128 {
        self.symbols
    }

    fn end(self) -> u128 {
        self.symbols + 1
    }

    fn beyond(self) -> u128 {
        self.symbols + 2
    }

    /// The longest n-gram that fits beside the number of a text.
    fn most_symbols(self) -> usize {
        (128 - TEXT_BITS) / self.bits
    }

    fn last(self, key: u128) -> u128 {
        key & ((1 << self.bits) - 1)
    }

    fn context(self, key: u128) -> u128 {
        key >> self.bits
    }

    /// Without the first of `length` symbols.
    fn suffix(self, key: u128, length: usize) -> u128 {
        key & ((1 << (self.bits * (length - 1))) - 1)
    }
}

/// Bits of the number of a text.
const TEXT_BITS: usize = 6;

/// Most texts of a corpus.
pub const MOST_TEXTS: usize = 1 << TEXT_BITS;

/// N-grams of each length that pruning chooses from, in parts of those that it leaves. Rarer ones are left out before.
const CANDIDATES: f64 = 1.5;

/// Discounts of n-grams that occur once, twice, and more often.
struct Discounts([f64; 3]);

impl Discounts {
    fn new(counts: &[Count]) -> Self {
        let mut n = [0.0; 4];
        for count in counts.iter().filter(|count| (1..=4).contains(&count.plain)) {
            n[count.plain as usize - 1] += 1.0;
        }
        if n.contains(&0.0) {
            // Too little text for an estimate.
            return Self([0.5, 0.75, 0.9]);
        }
        let y = n[0] / (n[0] + 2.0 * n[1]);
        let of = |k: usize| (k as f64 - (k as f64 + 1.0) * y * n[k] / n[k - 1]).clamp(0.0, k as f64);
        Self([of(1), of(2), of(3)])
    }

    /// What is left of a count.
    fn rest(&self, count: Count) -> f64 {
        let [one, two, more] = self.0;
        let plain = count.plain as f64;
        let discount = match count.plain {
            0 => return 0.0,
            1 => one,
            2 => two,
            _ => more,
        };
        count.weighed * (plain - discount) / plain
    }
}

impl Ngrams {
    /// Estimates a model of this size.
    pub fn estimate(corpus: Corpus, size: Size) -> Self {
        let Corpus { mut names, texts } = corpus;
        let packing = Packing::new(names.len());
        names.extend(["<s>".into(), "</s>".into()]);
        let order = size.order.min(packing.most_symbols());
        let weights: Vec<f64> = texts.iter().map(|text| f64::from(text.weight)).collect();
        let places = places(&texts, packing, order);
        drop(texts);
        let mut model = Self { names, packing, orders: Vec::with_capacity(order) };
        let mut least = 1;
        for length in 1..=order {
            let mut counts = count(&places, packing, [length, order], &weights);
            let discounts = Discounts::new(&counts);
            if length > 1 {
                least = least.max(least_count(&counts, (size.ngrams as f64 * CANDIDATES) as usize));
                counts.retain(|count| count.plain >= least);
            }
            model.add_order(length, counts, &discounts);
        }
        model.prune(size.ngrams);
        model
    }

    /// Adds the n-grams of one length, and to those one shorter the weights of backing off to them.
    fn add_order(&mut self, length: usize, mut counts: Vec<Count>, discounts: &Discounts) {
        let packing = self.packing;
        if length == 1 {
            // Every symbol has a share of what was discounted; nothing predicts the start, which only stands before.
            let every = counts;
            let of = |id| every.binary_search_by_key(&id, |count| count.key).map_or(Count::default(), |at| every[at]);
            counts = (0..=packing.end()).map(|key| Count { key, ..of(key) }).collect();
        }
        let mut grams = Vec::with_capacity(counts.len());
        for row in counts.chunk_by(|a, b| packing.context(a.key) == packing.context(b.key)) {
            let context = (length > 1).then(|| find(&self.orders[length - 2], packing.context(row[0].key)));
            let rest = |count: &Count| if count.key == packing.start() { 0.0 } else { discounts.rest(*count) };
            let total = match context {
                Some(context) => self.orders[length - 2][context.expect("contexts are n-grams")].count,
                None => row.iter().filter(|count| count.key != packing.start()).map(|count| count.weighed).sum(),
            };
            let free = 1.0 - row.iter().map(rest).sum::<f64>() / total;
            for count in row {
                let lower = match length {
                    1 => 1.0 / packing.end() as f64,
                    _ => self.probability(packing.suffix(count.key, length), length - 1),
                };
                let probability = match count.key {
                    key if length == 1 && key == packing.start() => NEVER,
                    _ => rest(count) / total + free * lower,
                };
                grams.push(Gram { key: count.key, probability, lower, back_off: 1.0, count: count.weighed });
            }
            if let Some(Some(context)) = context {
                self.orders[length - 2][context].back_off = free;
            }
        }
        self.orders.push(grams);
    }

    /// Probability of the last of `length` symbols after the others.
    fn probability(&self, key: u128, length: usize) -> f64 {
        if let Some(at) = find(&self.orders[length - 1], key) {
            return self.orders[length - 1][at].probability;
        }
        let context = find(&self.orders[length - 2], self.packing.context(key));
        let back_off = context.map_or(1.0, |at| self.orders[length - 2][at].back_off);
        back_off * self.probability(self.packing.suffix(key, length), length - 1)
    }

    /// Leaves the `ngrams` n-grams whose loss would change the model most, and what they begin with.
    fn prune(&mut self, ngrams: usize) {
        let packing = self.packing;
        if self.len() <= ngrams {
            return;
        }
        let mut losses: Vec<Vec<f64>> = (1..=self.orders.len()).map(|length| self.losses(length)).collect();
        for length in (2..=self.orders.len()).rev() {
            let (shorter, longer) = losses.split_at_mut(length - 1);
            for (gram, &loss) in self.orders[length - 1].iter().zip(&longer[0]) {
                let context = find(&self.orders[length - 2], packing.context(gram.key)).expect("contexts are n-grams");
                let of_context = &mut shorter[length - 2][context];
                *of_context = of_context.max(loss);
            }
        }
        let mut every: Vec<f64> = losses.iter().flatten().copied().collect();
        let at = ngrams.clamp(1, every.len()) - 1;
        let (_, &mut bound, _) = every.select_nth_unstable_by(at, |a, b| b.total_cmp(a));
        for (grams, losses) in self.orders.iter_mut().zip(losses) {
            let mut losses = losses.into_iter();
            grams.retain(|_| losses.next().is_some_and(|loss| loss >= bound));
        }
        self.orders.retain(|grams| !grams.is_empty());
        self.weigh_back_off();
    }

    /// How much the divergence from the model as it is would grow if backing off took the place of each n-gram of a
    /// length, in natural logarithms a symbol (Stolcke 1998, equation 3).
    fn losses(&self, length: usize) -> Vec<f64> {
        let packing = self.packing;
        let mut losses = Vec::with_capacity(self.orders[length - 1].len());
        if length == 1 {
            losses.resize(self.orders[0].len(), f64::INFINITY);
            return losses;
        }
        let total: f64 = self.orders[0].iter().map(|gram| gram.count).sum();
        for row in self.orders[length - 1].chunk_by(|a, b| packing.context(a.key) == packing.context(b.key)) {
            let context = find(&self.orders[length - 2], packing.context(row[0].key)).expect("contexts are n-grams");
            let context = &self.orders[length - 2][context];
            let free = (1.0 - row.iter().map(|gram| gram.probability).sum::<f64>()).max(NEVER);
            let unseen = (1.0 - row.iter().map(|gram| gram.lower).sum::<f64>()).max(NEVER);
            for gram in row {
                let without = (free + gram.probability) / (unseen + gram.lower);
                let own = gram.probability * (gram.probability.ln() - gram.lower.ln() - without.ln());
                let others = free * ((free / unseen).ln() - without.ln());
                losses.push(context.count / total * (own + others));
            }
        }
        losses
    }

    /// Divides by the probabilities of another model's pairs to the power of `factor`, after which they add up to one no
    /// more. Both have the same symbols.
    pub fn divide_by_pairs(&mut self, other: &Self, factor: f64) {
        let packing = self.packing;
        if self.orders.len() < 2 || other.orders.len() < 2 {
            return;
        }
        // The other's pairs stand for themselves, so that backing off divides by its weights and single symbols alone.
        let added = other.orders[1].iter().filter(|gram| find(&self.orders[1], gram.key).is_none());
        let added: Vec<Gram> =
            added.map(|gram| Gram { probability: self.probability(gram.key, 2), back_off: 1.0, ..*gram }).collect();
        self.orders[1].extend(added);
        self.orders[1].sort_unstable_by_key(|gram| gram.key);
        for (length, grams) in (1..).zip(&mut self.orders) {
            for gram in grams {
                let pair = gram.key & ((1 << (2 * packing.bits)) - 1);
                match length {
                    1 => {
                        let lower = &other.orders[0][gram.key as usize];
                        gram.back_off /= lower.back_off.powf(factor);
                        if gram.key != packing.start() {
                            gram.probability /= lower.probability.powf(factor);
                        }
                    }
                    _ => gram.probability /= other.probability(pair, 2).powf(factor),
                }
            }
        }
    }

    /// Sets the weights of backing off such that the probabilities after each context add up to one.
    fn weigh_back_off(&mut self) {
        for length in 2..=self.orders.len() {
            for gram in &mut self.orders[length - 2] {
                gram.back_off = 1.0;
            }
            let mut weights = Vec::new();
            for row in
                self.orders[length - 1].chunk_by(|a, b| self.packing.context(a.key) == self.packing.context(b.key))
            {
                let of = |gram: &Gram| self.probability(self.packing.suffix(gram.key, length), length - 1);
                let free = (1.0 - row.iter().map(|gram| gram.probability).sum::<f64>()).max(NEVER);
                let unseen = (1.0 - row.iter().map(of).sum::<f64>()).max(NEVER);
                weights.push((self.packing.context(row[0].key), free / unseen));
            }
            for (context, weight) in weights {
                if let Some(at) = find(&self.orders[length - 2], context) {
                    self.orders[length - 2][at].back_off = weight;
                }
            }
        }
    }

    /// Number of n-grams.
    pub fn len(&self) -> usize {
        self.orders.iter().map(Vec::len).sum()
    }

    /// Writes the model in the ARPA format.
    ///
    /// # Errors
    /// When it can't be written.
    pub fn write_arpa(&self, out: &mut impl Write) -> io::Result<()> {
        writeln!(out, "\\data\\")?;
        for (length, grams) in (1..).zip(&self.orders) {
            writeln!(out, "ngram {length}={}", grams.len())?;
        }
        for (length, grams) in (1..).zip(&self.orders) {
            writeln!(out, "\n\\{length}-grams:")?;
            for gram in grams {
                write!(out, "{:.4}\t", gram.probability.log10().max(-99.0))?;
                for at in (0..length).rev() {
                    let symbol = self.packing.last(gram.key >> (at * self.packing.bits));
                    write!(out, "{}{}", self.names[symbol as usize], if at > 0 { " " } else { "" })?;
                }
                match length < self.orders.len() {
                    true => writeln!(out, "\t{:.4}", gram.back_off.log10().max(-99.0))?,
                    false => writeln!(out)?,
                }
            }
        }
        writeln!(out, "\n\\end\\")
    }
}

/// A probability that stands for none.
const NEVER: f64 = 1e-30;

fn find(grams: &[Gram], key: u128) -> Option<usize> {
    grams.binary_search_by_key(&key, |gram| gram.key).ok()
}

/// The `order` symbols from each place of the texts on, and below them the number of the text, sorted.
fn places(texts: &[Text], packing: Packing, order: usize) -> Vec<u128> {
    let length = texts.iter().flat_map(|text| &text.sequences).map(|sequence| sequence.len() + 2).sum();
    let mut places = Vec::with_capacity(length);
    for (number, text) in (0..).zip(texts) {
        for sequence in &text.sequences {
            let symbols = sequence.iter().map(|&symbol| u128::from(symbol));
            let mut place = (0..order).fold(0, |place, _| place << packing.bits | packing.beyond());
            // From the end on, each symbol comes before those that follow it.
            for symbol in [packing.end()].into_iter().chain(symbols.rev()).chain([packing.start()]) {
                place = place >> packing.bits | symbol << (packing.bits * (order - 1));
                places.push(place << TEXT_BITS | number);
            }
        }
    }
    places.sort_unstable();
    places
}

/// How often n-grams of a length stand in the texts.
fn count(places: &[u128], packing: Packing, [length, order]: [usize; 2], weights: &[f64]) -> Vec<Count> {
    let key = |place: u128| place >> (TEXT_BITS + packing.bits * (order - length));
    let rows = places.chunk_by(|&a, &b| key(a) == key(b)).filter(|row| packing.last(key(row[0])) != packing.beyond());
    rows.map(|row| {
        let weighed = row.iter().map(|place| weights[(place & ((1 << TEXT_BITS) - 1)) as usize]).sum();
        Count { key: key(row[0]), weighed, plain: row.len() as u64 }
    })
    .collect()
}

/// The least count of which no more than `most` n-grams stand in the texts as often or more often.
fn least_count(counts: &[Count], most: usize) -> u64 {
    if counts.len() <= most {
        return 1;
    }
    let mut plain: Vec<u64> = counts.iter().map(|count| count.plain).collect();
    let (_, &mut bound, _) = plain.select_nth_unstable_by(most, |a, b| b.cmp(a));
    bound + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(size: Size) -> Ngrams {
        let names = ["a", "b", "c", "never"].map(String::from).to_vec();
        let sequences = ["ababc", "abc", "bca", "aab", "cab", "abab", "b"]
            .map(|text| text.bytes().map(|byte| u32::from(byte - b'a')).collect())
            .to_vec();
        let other = Text { sequences: vec![vec![2, 2, 1], vec![2, 1]], weight: 0.5 };
        Ngrams::estimate(Corpus { names, texts: vec![Text { sequences, weight: 1.0 }, other] }, size)
    }

    fn key(model: &Ngrams, symbols: &[u32]) -> u128 {
        symbols.iter().fold(0, |key, &symbol| key << model.packing.bits | u128::from(symbol))
    }

    fn probability(model: &Ngrams, context: &[u32], symbol: u32) -> f64 {
        let whole: Vec<u32> = context.iter().copied().chain([symbol]).collect();
        let kept = &whole[whole.len().saturating_sub(model.orders.len())..];
        model.probability(key(model, kept), kept.len())
    }

    fn assert_proper(model: &Ngrams) {
        let start = 4;
        for context in [vec![], vec![0], vec![3], vec![start], vec![0, 1], vec![start, 0], vec![2, 2], vec![3, 0]] {
            let sum: f64 = (0..6).filter(|&id| id != start).map(|id| probability(model, &context, id)).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{context:?}: {sum}");
        }
    }

    #[test]
    fn probabilities_add_up_to_one_after_every_context() {
        let model = model(Size { order: 3, ngrams: 1000 });
        assert_proper(&model);
        assert!(probability(&model, &[0], 1) > 0.5, "b follows a");
        assert!(probability(&model, &[], 3) > 0.0, "what was never seen is possible");
    }

    #[test]
    fn pruning_leaves_what_matters_most() {
        let whole = model(Size { order: 3, ngrams: 1000 });
        let pruned = model(Size { order: 3, ngrams: 9 });
        assert!(whole.len() > 20 && (7..=10).contains(&pruned.len()), "{} {}", whole.len(), pruned.len());
        assert_proper(&pruned);
        let b_after_a = probability(&whole, &[0], 1);
        assert!((probability(&pruned, &[0], 1) - b_after_a).abs() < 1e-9, "the commonest pair stays");
    }

    #[test]
    fn texts_count_by_their_weights() {
        let names = || ["a", "b"].map(String::from).to_vec();
        let text = |symbol, weight| Text { sequences: vec![vec![symbol]; 20], weight };
        let estimate = |texts| Ngrams::estimate(Corpus { names: names(), texts }, Size { order: 2, ngrams: 100 });
        let equal = estimate(vec![text(0, 1.0), text(1, 1.0)]);
        let unlike = estimate(vec![text(0, 3.0), text(1, 1.0)]);
        let start = 2;
        let [a, b] = [0, 1].map(|symbol| probability(&equal, &[start], symbol));
        assert!((a - b).abs() < 1e-9 && a > 0.45, "{a} {b}");
        let [a, b] = [0, 1].map(|symbol| probability(&unlike, &[start], symbol));
        assert!((2.8..3.2).contains(&(a / b)), "{a} {b}");
    }

    #[test]
    fn pairs_are_divided_by_those_of_another_model() {
        let whole = model(Size { order: 3, ngrams: 1000 });
        let names = || ["a", "b", "c", "never"].map(String::from).to_vec();
        let texts = vec![Text { sequences: vec![vec![0, 1, 3], vec![3, 3, 1]], weight: 1.0 }];
        let known = Ngrams::estimate(Corpus { names: names(), texts }, Size { order: 2, ngrams: 100 });
        let mut ratio = model(Size { order: 3, ngrams: 1000 });
        ratio.divide_by_pairs(&known, 0.5);
        for context in [vec![0], vec![3], vec![0, 1], vec![2, 2], vec![4], vec![4, 1]] {
            for symbol in [0, 1, 2, 3, 5] {
                let last = &context[context.len() - 1..];
                let expected = probability(&whole, &context, symbol) / probability(&known, last, symbol).sqrt();
                let found = probability(&ratio, &context, symbol);
                assert!((found / expected - 1.0).abs() < 1e-9, "{context:?} {symbol}: {found} {expected}");
            }
        }
    }

    #[test]
    fn the_file_is_an_arpa_file() {
        let model = model(Size { order: 2, ngrams: 1000 });
        let mut file = Vec::new();
        model.write_arpa(&mut file).unwrap();
        let file = String::from_utf8(file).unwrap();
        assert!(file.starts_with("\\data\\\nngram 1=6\n") && file.ends_with("\\end\\\n"));
        assert!(file.lines().any(|line| line.starts_with("-30.0000\t<s>\t")), "{file}");
        assert_eq!(file.lines().filter(|line| line.contains('\t')).count(), model.len());
    }
}
