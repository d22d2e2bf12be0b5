//! Self-attention with relative positions (Dai et al. 2019, arXiv:1901.02860) over a cache of keys and values.
//!
//! Keys lie channel by channel, `[d_model, frames]`, so that the scores of one query are a weighted sum of rows, vector
//! by vector, without a horizontal sum for each key. The projected positions lie likewise, by falling distance: the
//! scores by position are the same sum at another offset, which stands for the relative shift.

use super::EncoderConfig;
use super::op::Span;
use super::scratch::Scratch;
use crate::model::encoder::chunks::{largest_left, largest_look_ahead};
use crate::model::weights::{WeightSource, dense, tensor};
use crate::nn::{Dense, Epilogue, Shared, gemm, ops};

/// Frames that are appended to the cache before it is moved to the front again.
const SLACK: usize = 16;

/// Sinusoids for every distance between a frame and one it may attend to, `[d_model, distances]`, by falling distance.
#[derive(Debug)]
pub(super) struct PositionTable {
    table: Vec<f32>,
    farthest: usize,
    distances: usize,
}

impl PositionTable {
    pub fn new(config: &EncoderConfig) -> Self {
        let ahead = largest_look_ahead(config);
        let farthest = largest_left(config) + ahead;
        let distances = farthest + ahead + 1;
        let d = config.d_model;
        let mut table = Vec::with_capacity(d * distances);
        for channel in 0..d {
            let frequency = ((channel / 2 * 2) as f32 * -(10_000_f32.ln() / d as f32)).exp();
            table.extend((0..distances).map(|i| {
                let angle = (farthest as f32 - i as f32) * frequency;
                if channel % 2 == 0 { angle.sin() } else { angle.cos() }
            }));
        }
        Self { table, farthest, distances }
    }

    /// The table after the projection of a layer, laid out the same way. In f32, since it is done once.
    fn projected(&self, linear_pos: &Dense) -> Vec<f32> {
        let weight = linear_pos.dequantize();
        let mut out = vec![0.0; linear_pos.n * self.distances];
        for (row, out) in weight.chunks_exact(linear_pos.k).zip(out.chunks_exact_mut(self.distances)) {
            ops::sum_rows(row, &self.table, self.distances, out);
        }
        out
    }
}

#[derive(Debug)]
pub(super) struct AttentionWeights {
    linear_qkv: Dense,
    linear_out: Dense,
    /// `[heads, d_model / heads]`
    pos_bias_u: Shared<f32>,
    /// `[heads, d_model / heads]`
    pos_bias_v: Shared<f32>,
    /// Projected positions, `[d_model, distances]`.
    positions: Vec<f32>,
    farthest: usize,
    distances: usize,
    heads: usize,
}

impl AttentionWeights {
    pub fn load<W: WeightSource>(
        source: &W,
        name: &str,
        config: &EncoderConfig,
        positions: &PositionTable,
    ) -> Result<Self, W::Error> {
        let d = config.d_model;
        Ok(Self {
            linear_qkv: dense(source, &format!("{name}.linear_qkv"), 3 * d, d)?,
            linear_out: dense(source, &format!("{name}.linear_out"), d, d)?,
            pos_bias_u: tensor(source, &format!("{name}.pos_bias_u"), d)?,
            pos_bias_v: tensor(source, &format!("{name}.pos_bias_v"), d)?,
            positions: positions.projected(&dense(source, &format!("{name}.linear_pos"), d, d)?),
            farthest: positions.farthest,
            distances: positions.distances,
            heads: config.heads,
        })
    }

    /// Adds the attention's output to `x`. `scratch.rows` holds its normalized input.
    pub fn forward(&self, x: &mut [f32], cache: &mut AttentionCache, scratch: &mut Scratch, span: Span) {
        let (d, frames) = (self.linear_out.n, span.frames);
        let projected = &mut scratch.wide[..frames * 3 * d];
        gemm(span.isa, &scratch.rows, &self.linear_qkv, projected, Epilogue::Store);
        let reach = cache.append(projected, span);
        let context = &mut scratch.narrow[..frames * d];
        for head in 0..self.heads {
            for frame in 0..frames {
                let query = &projected[frame * 3 * d..][head * d / self.heads..][..d / self.heads];
                let scores = &mut scratch.scores[..2 * reach];
                self.scores(query, head, reach - frames + frame, cache.keys(head), scores, &mut scratch.query);
                let context = &mut context[frame * d..][head * d / self.heads..][..d / self.heads];
                ops::sum_rows(&scores[..reach], cache.values(head), d, context);
            }
        }
        scratch.rows.quantize(context, frames, d);
        gemm(span.isa, &scratch.rows, &self.linear_out, x, Epilogue::Add);
    }

    /// Weights of the keys for one query, which is `distance` frames behind the first key: the first half of `scores`.
    fn scores(
        &self,
        query: &[f32],
        head: usize,
        distance: usize,
        keys: Strided<'_>,
        scores: &mut [f32],
        biased: &mut [f32],
    ) {
        let width = query.len();
        let (content, position) = scores.split_at_mut(scores.len() / 2);
        let (by_content, by_position) = biased.split_at_mut(width);
        let bias = |bias: &[f32], out: &mut [f32]| {
            let sums = query.iter().zip(&bias[head * width..]).map(|(query, bias)| query + bias);
            out.iter_mut().zip(sums).for_each(|(out, sum)| *out = sum);
        };
        bias(&self.pos_bias_u, by_content);
        bias(&self.pos_bias_v, by_position);
        ops::sum_rows(by_content, keys.rows, keys.stride, content);
        let positions = &self.positions[head * width * self.distances..][self.farthest - distance..];
        ops::sum_rows(by_position, positions, self.distances, position);
        ops::axpy(1.0, position, content);
        ops::softmax_row(content, 1.0 / (width as f32).sqrt());
    }
}

/// Rows that lie `stride` apart.
#[derive(Clone, Copy)]
struct Strided<'a> {
    rows: &'a [f32],
    stride: usize,
}

/// Keys and values of the frames before, and of the chunk at hand.
#[derive(Debug)]
pub(super) struct AttentionCache {
    /// `[d_model, capacity]`
    keys: Vec<f32>,
    /// `[capacity, d_model]`
    values: Vec<f32>,
    capacity: usize,
    /// Frames that are kept when the cache is moved to the front.
    kept: usize,
    heads: usize,
    /// First frame that the chunk at hand may attend to, and the end of the chunk.
    first: usize,
    end: usize,
}

impl AttentionCache {
    pub fn new(config: &EncoderConfig) -> Self {
        let kept = largest_left(config);
        let capacity = kept + largest_look_ahead(config) + 1 + SLACK;
        let values = vec![0.0; capacity * config.d_model];
        Self { keys: values.clone(), values, capacity, kept, heads: config.heads, first: 0, end: 0 }
    }

    pub fn reset(&mut self) {
        (self.first, self.end) = (0, 0);
    }

    /// Takes the keys and values of a chunk from rows of queries, keys and values. Returns how many frames the chunk
    /// may attend to, itself included.
    fn append(&mut self, projected: &[f32], span: Span) -> usize {
        let d = self.values.len() / self.capacity;
        if self.end + span.frames > self.capacity {
            self.move_to_front(d);
        }
        for (frame, row) in projected.chunks_exact(3 * d).enumerate() {
            let (keys, values) = row[d..].split_at(d);
            let column = self.end + frame;
            for (line, key) in self.keys.chunks_exact_mut(self.capacity).zip(keys) {
                line[column] = *key;
            }
            self.values[column * d..][..d].copy_from_slice(values);
        }
        let reach = span.left.min(self.end) + span.frames;
        self.end += span.frames;
        self.first = self.end - reach;
        reach
    }

    fn move_to_front(&mut self, d: usize) {
        let kept = self.kept.min(self.end);
        let from = self.end - kept;
        for line in self.keys.chunks_exact_mut(self.capacity) {
            line.copy_within(from..self.end, 0);
        }
        self.values.copy_within(from * d..self.end * d, 0);
        self.end = kept;
    }

    /// The keys of a head in reach, a row for each channel.
    fn keys(&self, head: usize) -> Strided<'_> {
        let start = head * self.keys.len() / self.heads + self.first;
        Strided { rows: &self.keys[start..], stride: self.capacity }
    }

    /// The values of a head in reach, a row for each frame, `d_model` apart.
    fn values(&self, head: usize) -> &[f32] {
        let d = self.values.len() / self.capacity;
        &self.values[self.first * d + head * d / self.heads..]
    }
}
