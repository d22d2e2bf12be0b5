//! The predictor and the joiner in plain f32, the reference for the int8 ones. Names are those of the checkpoint.

use candle_core::{Device, Result, Tensor};
use candle_nn::{Embedding, Linear, Module, VarBuilder};

use super::{HeadScratch, HeadState, TransducerHead};
use crate::model::config::{Activation, ModelConfig};

/// The f32 head.
#[derive(Debug)]
pub struct ReferenceHead {
    config: ModelConfig,
    predictor: ReferencePredictor,
    joiner: ReferenceJoiner,
}

/// An embedding and an LSTM.
#[derive(Debug)]
pub struct ReferencePredictor {
    embed: Embedding,
    /// Input and recurrent side of the gates of each layer.
    lstm: Vec<[Linear; 2]>,
}

/// Two projections and the output layer.
#[derive(Debug)]
pub struct ReferenceJoiner {
    enc: Linear,
    pred: Linear,
    joint_net: Linear,
    activation: Activation,
}

impl ReferencePredictor {
    /// Loads the weights below `vb`, which stands at `decoder.prediction` of a checkpoint.
    ///
    /// # Errors
    /// When a weight is absent or of another shape.
    pub fn load(vb: VarBuilder, config: &ModelConfig) -> Result<Self> {
        let hidden = config.predictor.hidden;
        let embed = Embedding::new(vb.get((config.vocab_size + 1, hidden), "embed.weight")?, hidden);
        let vb = vb.pp("dec_rnn").pp("lstm");
        let side = |side: &str, layer: usize| -> Result<Linear> {
            let weight = vb.get((4 * hidden, hidden), &format!("weight_{side}_l{layer}"))?;
            Ok(Linear::new(weight, Some(vb.get(4 * hidden, &format!("bias_{side}_l{layer}"))?)))
        };
        let lstm = (0..config.predictor.layers).map(|layer| Ok([side("ih", layer)?, side("hh", layer)?]));
        Ok(Self { embed, lstm: lstm.collect::<Result<_>>()? })
    }

    /// Runs the LSTM over one token: output `[1, hidden]`.
    fn advance(&self, token: u32, h: &mut [f32], c: &mut [f32]) -> Result<Tensor> {
        let mut x = self.embed.forward(&Tensor::new(&[token], &Device::Cpu)?)?;
        let width = x.dim(1)?;
        for (layer, [input, recurrent]) in self.lstm.iter().enumerate() {
            let at = layer * width..(layer + 1) * width;
            let old_h = Tensor::from_slice(&h[at.clone()], (1, width), &Device::Cpu)?;
            let old_c = Tensor::from_slice(&c[at.clone()], (1, width), &Device::Cpu)?;
            let gates = (input.forward(&x)? + recurrent.forward(&old_h)?)?.chunk(4, 1)?;
            let sigmoid = |i: usize| candle_nn::ops::sigmoid(&gates[i]);
            let new_c = ((sigmoid(1)? * old_c)? + (sigmoid(0)? * gates[2].tanh()?)?)?;
            x = (sigmoid(3)? * new_c.tanh()?)?;
            h[at.clone()].copy_from_slice(&x.flatten_all()?.to_vec1::<f32>()?);
            c[at].copy_from_slice(&new_c.flatten_all()?.to_vec1::<f32>()?);
        }
        Ok(x)
    }
}

impl ReferenceJoiner {
    /// Loads the weights below `vb`, which stands at `joint` of a checkpoint.
    ///
    /// # Errors
    /// When a weight is absent or of another shape.
    pub fn load(vb: VarBuilder, config: &ModelConfig) -> Result<Self> {
        let inner = config.joiner.hidden;
        let linear = |name: &str, k: usize, n: usize| candle_nn::linear(k, n, vb.pp(name));
        Ok(Self {
            enc: linear("enc", config.encoder.d_model, inner)?,
            pred: linear("pred", config.predictor.hidden, inner)?,
            joint_net: linear("joint_net.2", inner, config.vocab_size + 1)?,
            activation: config.joiner.activation,
        })
    }

    fn logits(&self, encoder: &[f32], predictor: &[f32]) -> Result<Tensor> {
        let row = |x: &[f32]| Tensor::from_slice(x, (1, x.len()), &Device::Cpu);
        let sum = (row(encoder)? + row(predictor)?)?;
        self.joint_net.forward(&match self.activation {
            Activation::Relu => sum.relu()?,
            Activation::Tanh => sum.tanh()?,
            Activation::Sigmoid => candle_nn::ops::sigmoid(&sum)?,
        })
    }
}

impl ReferenceHead {
    /// Loads the weights below `decoder.` and `joint.` of a checkpoint and tries them once, so that the
    /// calls of [`TransducerHead`] meet no error later.
    ///
    /// # Errors
    /// When a weight is absent or of another shape.
    pub fn load(vb: VarBuilder, config: &ModelConfig) -> Result<Self> {
        let head = Self {
            predictor: ReferencePredictor::load(vb.pp("decoder").pp("prediction"), config)?,
            joiner: ReferenceJoiner::load(vb.pp("joint"), config)?,
            config: config.clone(),
        };
        let mut state = head.new_state();
        head.try_advance(config.vocab_size as u32, &mut state)?;
        let frame = vec![0.0; config.encoder.d_model];
        let projected = head.try_project(&frame)?;
        head.joiner.logits(&projected, &state.projected)?;
        Ok(head)
    }

    fn try_advance(&self, token: u32, state: &mut HeadState) -> Result<()> {
        let token = token.min(self.config.vocab_size as u32);
        let output = self.predictor.advance(token, &mut state.h, &mut state.c)?;
        let projected = self.joiner.pred.forward(&output)?.flatten_all()?.to_vec1::<f32>()?;
        state.projected.copy_from_slice(&projected);
        Ok(())
    }

    fn try_project(&self, frames: &[f32]) -> Result<Vec<f32>> {
        let width = self.config.encoder.d_model;
        let frames = Tensor::from_slice(frames, (frames.len() / width, width), &Device::Cpu)?;
        self.joiner.enc.forward(&frames)?.flatten_all()?.to_vec1()
    }
}

impl TransducerHead for ReferenceHead {
    fn config(&self) -> &ModelConfig {
        &self.config
    }

    fn advance(&self, token: u32, state: &mut HeadState, _scratch: &mut HeadScratch) {
        expect_tried(self.try_advance(token, state));
    }

    fn project(&self, frames: &[f32], out: &mut Vec<f32>, _scratch: &mut HeadScratch) {
        if !frames.is_empty() {
            out.extend(expect_tried(self.try_project(frames)));
        }
    }

    fn logits(&self, projected: &[f32], state: &HeadState, _scratch: &mut HeadScratch, out: &mut [f32]) {
        let logits = self.joiner.logits(projected, &state.projected).and_then(|x| x.flatten_all()?.to_vec1::<f32>());
        out.copy_from_slice(&expect_tried(logits));
    }
}

/// Loading runs every operation once on the shapes that all calls have.
fn expect_tried<T>(result: Result<T>) -> T {
    result.expect("the operations of the head ran while it was loaded")
}
