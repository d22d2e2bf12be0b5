//! Estimates n-gram models: interpolated Kneser–Ney smoothing with three discounts for each order (Chen and Goodman 1998,
//! "An empirical study of smoothing techniques for language modeling").

use std::{
    collections::HashMap,
    io::{self, Write},
};

/// Counts of n-grams of one length.
type Counts = HashMap<Vec<u32>, u32>;

/// Sequences and what to call their symbols. Sequences hold neither start nor end; both are added.
pub struct Corpus {
    /// Names of the symbols, by their numbers.
    pub names: Vec<String>,
    /// The sequences.
    pub sequences: Vec<Vec<u32>>,
}

/// A back-off model.
pub struct Ngrams {
    names: Vec<String>,
    /// By length: logarithms (base 10) of probability and back-off weight.
    orders: Vec<HashMap<Vec<u32>, [f64; 2]>>,
}

/// Discounts of n-grams that occur once, twice, and more often.
struct Discounts([f64; 3]);

impl Discounts {
    fn new(counts: &Counts) -> Self {
        let with = |count| counts.values().filter(|&&c| c == count).count() as f64;
        let n: Vec<f64> = (1..=4).map(with).collect();
        if n.contains(&0.0) {
            // Too little text for an estimate.
            return Self([0.5, 0.75, 0.9]);
        }
        let y = n[0] / (n[0] + 2.0 * n[1]);
        let of = |k: usize| (k as f64 - (k as f64 + 1.0) * y * n[k] / n[k - 1]).clamp(0.0, k as f64);
        Self([of(1), of(2), of(3)])
    }

    fn of(&self, count: u32) -> f64 {
        self.0[(count as usize).clamp(1, 3) - 1]
    }
}

impl Ngrams {
    /// Estimates a model of n-grams of up to `order` symbols.
    pub fn estimate(corpus: Corpus, order: usize) -> Self {
        let Corpus { mut names, sequences } = corpus;
        let symbols = names.len() as u32;
        let (start, end) = (symbols, symbols + 1);
        names.extend(["<s>".into(), "</s>".into()]);
        let counts = adjusted(&count(&sequences, order, [start, end]), start);

        // Every symbol has a share of the unigrams' discounted probability.
        let mut orders: Vec<HashMap<Vec<u32>, [f64; 2]>> = Vec::with_capacity(order);
        let uniform: HashMap<Vec<u32>, f64> =
            (0..=end).filter(|&id| id != start).map(|id| (vec![id], 1.0 / f64::from(symbols + 1))).collect();
        for (length, counts) in (1..).zip(&counts) {
            let discounts = Discounts::new(counts);
            let mut totals: HashMap<&[u32], [f64; 2]> = HashMap::new();
            for (gram, &count) in counts {
                let total = totals.entry(&gram[..length - 1]).or_default();
                total[0] += f64::from(count);
                total[1] += discounts.of(count);
            }
            let lower = |gram: &[u32]| match orders.last() {
                None => uniform.get(gram).copied().unwrap_or(0.0),
                Some(lower) => lower.get(&gram[1..]).map_or(0.0, |[probability, _]| *probability),
            };
            let mut grams: HashMap<Vec<u32>, [f64; 2]> = HashMap::with_capacity(counts.len());
            for (gram, &count) in counts {
                let [total, discounted] = totals[&gram[..length - 1]];
                let own = (f64::from(count) - discounts.of(count)).max(0.0) / total;
                grams.insert(gram.clone(), [own + discounted / total * lower(gram), 1.0]);
            }
            if length == 1 {
                let [total, discounted] = totals[&[][..]];
                for (gram, share) in &uniform {
                    grams.entry(gram.clone()).or_insert([discounted / total * share, 1.0]);
                }
                // Nothing predicts the start; it only stands before.
                grams.insert(vec![start], [1e-99, 1.0]);
            }
            if let Some(lower) = orders.last_mut() {
                for (context, [total, discounted]) in totals {
                    if let Some(context) = lower.get_mut(context) {
                        context[1] = discounted / total;
                    }
                }
            }
            orders.push(grams);
        }
        Self { names, orders }
    }

    /// Number of n-grams.
    pub fn len(&self) -> usize {
        self.orders.iter().map(HashMap::len).sum()
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
            let mut sorted: Vec<_> = grams.iter().collect();
            sorted.sort_unstable_by_key(|(gram, _)| *gram);
            for (gram, [probability, back_off]) in sorted {
                write!(out, "{:.4}\t", probability.log10().max(-99.0))?;
                for (at, &symbol) in gram.iter().enumerate() {
                    write!(out, "{}{}", if at > 0 { " " } else { "" }, self.names[symbol as usize])?;
                }
                match length < self.orders.len() {
                    true => writeln!(out, "\t{:.4}", back_off.log10().max(-99.0))?,
                    false => writeln!(out)?,
                }
            }
        }
        writeln!(out, "\n\\end\\")
    }
}

/// Counts of all n-grams by their length.
fn count(sequences: &[Vec<u32>], order: usize, [start, end]: [u32; 2]) -> Vec<Counts> {
    let mut counts = vec![Counts::new(); order];
    for sequence in sequences {
        let whole: Vec<u32> = [start].into_iter().chain(sequence.iter().copied()).chain([end]).collect();
        for (length, counts) in (1..).zip(&mut counts) {
            for gram in whole.windows(length) {
                *counts.entry(gram.to_vec()).or_default() += 1;
            }
        }
    }
    counts
}

/// What Kneser–Ney smoothing counts: of shorter n-grams the number of symbols that they follow, except where a sentence
/// starts with them.
fn adjusted(raw: &[Counts], start: u32) -> Vec<Counts> {
    let mut adjusted = Vec::with_capacity(raw.len());
    for (index, counts) in raw.iter().enumerate() {
        let mut of_length = Counts::new();
        match raw.get(index + 1) {
            None => of_length.clone_from(counts),
            Some(longer) => {
                for gram in longer.keys() {
                    *of_length.entry(gram[1..].to_vec()).or_default() += 1;
                }
                of_length
                    .extend(counts.iter().filter(|(gram, _)| gram[0] == start).map(|(gram, &n)| (gram.clone(), n)));
            }
        }
        of_length.remove(&vec![start]);
        adjusted.push(of_length);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(order: usize) -> Ngrams {
        let names = ["a", "b", "c", "never"].map(String::from).to_vec();
        let sequences = ["ababc", "abc", "bca", "aab", "cab", "abab", "b"]
            .map(|text| text.bytes().map(|byte| u32::from(byte - b'a')).collect())
            .to_vec();
        Ngrams::estimate(Corpus { names, sequences }, order)
    }

    /// Probability of a symbol after a context, by backing off.
    fn probability(model: &Ngrams, context: &[u32], symbol: u32) -> f64 {
        let gram: Vec<u32> = context.iter().copied().chain([symbol]).collect();
        if let Some(gram) = model.orders.get(context.len()).and_then(|grams| grams.get(&gram)) {
            return gram[0];
        }
        let weight = model.orders[context.len() - 1].get(context).map_or(1.0, |context| context[1]);
        weight * probability(model, &context[1..], symbol)
    }

    #[test]
    fn probabilities_add_up_to_one_after_every_context() {
        let model = model(3);
        let start = 4;
        for context in [vec![], vec![0], vec![3], vec![start], vec![0, 1], vec![start, 0], vec![2, 2], vec![3, 0]] {
            let sum: f64 = (0..6).filter(|&id| id != start).map(|id| probability(&model, &context, id)).sum();
            assert!((sum - 1.0).abs() < 1e-9, "{context:?}: {sum}");
        }
        assert!(probability(&model, &[0], 1) > 0.5, "b follows a");
        assert!(probability(&model, &[], 3) > 0.0, "what was never seen is possible");
    }

    #[test]
    fn the_file_is_an_arpa_file() {
        let model = model(2);
        let mut file = Vec::new();
        model.write_arpa(&mut file).unwrap();
        let file = String::from_utf8(file).unwrap();
        assert!(file.starts_with("\\data\\\nngram 1=6\n") && file.ends_with("\\end\\\n"));
        assert!(file.contains("\n-99.0000\t<s>\t"));
        assert_eq!(file.lines().filter(|line| line.contains('\t')).count(), model.len());
    }
}
