"""Cache-aware streaming FastConformer transducer.

Architecture: FastConformer (Rekesh et al., 2023) with causal striding, chunk-limited attention (Noroozi et al., 2023),
relative positions (Dai et al., 2019) and an LSTM predictor (Graves, 2012). Parameter names, shapes and arithmetic are
those of NVIDIA NeMo's streaming FastConformer checkpoints, so that one converter and one engine serve both.
"""

import math
from dataclasses import asdict, dataclass, field

import torch
import torch.nn as nn
import torch.nn.functional as F

import fused


@dataclass
class Config:
    """All dimensions of the network; goes into the checkpoint as a dictionary."""

    mel_bands: int = 80
    d_model: int = 144
    n_layers: int = 6
    n_heads: int = 4
    d_ff: int = 576
    conv_kernel: int = 9
    subsampling_channels: int = 64
    subsampling_factor: int = 8
    pred_hidden: int = 192
    joint_hidden: int = 192
    vocab_size: int = 128
    left_context: int = 70
    look_aheads: list = field(default_factory=lambda: [0, 1, 3, 6, 13])
    dropout: float = 0.0
    phones: int = 40
    phone_slots: int = 4
    teacher_parts: int = 0  # of a teacher's output that a head predicts in training
    # The stem computes conv((x - input_mean) * input_scale) in training; `export_state` folds both into conv.0.
    input_mean: float = -12.5
    input_scale: float = 0.3

    def to_dict(self):
        return asdict(self)


def halve(length):
    """Frames after one strided convolution with 2 + 1 frames of padding."""
    return length // 2 + 1


class Subsampling(nn.Module):
    """(batch, frames, mel) -> (batch, about frames / 8, d_model); output t depends on inputs up to 8 t."""

    def __init__(self, config):
        super().__init__()
        channels = config.subsampling_channels
        self.mean, self.scale = config.input_mean, config.input_scale
        strided = {"kernel_size": 3, "stride": 2}
        self.conv = nn.Sequential(
            nn.Conv2d(1, channels, **strided),
            nn.ReLU(),
            nn.Conv2d(channels, channels, groups=channels, **strided),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(),
            nn.Conv2d(channels, channels, groups=channels, **strided),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(),
        )
        bands = config.mel_bands
        for _ in range(3):
            bands = halve(bands)
        self.out = nn.Linear(channels * bands, config.d_model)

    def folded_stem(self):
        """conv.0's weight and bias as a plain convolution of the raw log-mel."""
        first = self.conv[0]
        weight = first.weight * self.scale
        return weight, first.bias - self.mean * weight.sum((1, 2, 3))

    @torch.no_grad()
    def initialise(self, features, lengths):
        """Data-dependent initialisation (Salimans & Kingma, 2016): unit variance and zero mean of every channel on a
        real batch. Without it the default biases drown the signal after six layers and training starts on a plateau."""
        training = self.training
        self.eval()  # The hooks see PyTorch's own operators only.
        layers = [(layer, True) for layer in self.conv if isinstance(layer, nn.Conv2d)] + [(self.out, False)]
        for layer, is_conv in layers:
            gain = math.sqrt(2.0 / layer.weight[0].numel())
            nn.init.normal_(layer.weight, std=gain)
            nn.init.zeros_(layer.bias)
            seen = []
            hook = layer.register_forward_hook(lambda _, inputs, output: seen.append(output))
            if layer is self.conv[0]:
                stem = F.pad(features.unsqueeze(1), (2, 1, 2, 1))
                seen.append(F.conv2d(stem, *self.folded_stem(), stride=2))
            else:
                self(features, lengths)
            hook.remove()
            dims, shape = ((0, 2, 3), (-1, 1, 1, 1)) if is_conv else ((0, 1), (-1, 1))
            mean, deviation = seen[0].mean(dims), seen[0].std(dims) + 1e-3
            layer.weight.div_(deviation.view(shape))
            layer.bias.copy_(-mean / deviation)
        self.train(training)

    def fused(self, features):
        """The training forward, channels last: (batch, frames / 8, bands / 8, channels)."""
        conv, channels = self.conv, self.conv[3].out_channels
        x = fused.Stem.apply(features, *self.folded_stem(), conv[2].weight, conv[2].bias)
        x = F.relu(F.linear(x, conv[3].weight.view(channels, -1), conv[3].bias))
        x = fused.Depthwise.apply(x, conv[5].weight, conv[5].bias)
        return F.relu(F.linear(x, conv[6].weight.view(channels, -1), conv[6].bias))

    def forward(self, features, lengths):
        if self.training and fused.AVAILABLE and features.device.type == "cpu":
            x = self.fused(features)
            x = x.transpose(2, 3).flatten(2)
            return self.out(x), halve(halve(halve(lengths)))
        x = features.unsqueeze(1)
        for stage, at in enumerate((0, 2, 5)):
            # In training the padding's few wrong values at the very end of a clip cost less than masking them.
            x = F.pad(x if self.training else mask_frames(x, lengths), (2, 1, 2, 1))
            lengths = halve(lengths)
            if stage == 0:
                x = F.relu(F.conv2d(x, *self.folded_stem(), stride=2)).to(memory_format=torch.channels_last)
            else:
                x = F.relu(self.conv[at + 1](self.conv[at](x)))
        if not self.training:
            x = mask_frames(x, lengths)
        batch, channels, frames, bands = x.shape
        return self.out(x.transpose(1, 2).reshape(batch, frames, channels * bands)), lengths


def mask_frames(x, lengths):
    """Zero (batch, channels, frames, bands) past each length."""
    frames = x.shape[2]
    if bool((lengths >= frames).all()):
        return x
    keep = torch.arange(frames, device=x.device)[None] < lengths[:, None]
    return x * keep[:, None, :, None]


def relative_positions(frames, d_model):
    """Sinusoids (2 frames - 1, d_model) of the distances frames - 1 down to -(frames - 1)."""
    distance = torch.arange(frames - 1, -frames, -1, dtype=torch.float32).unsqueeze(1)
    rate = torch.exp(torch.arange(0, d_model, 2, dtype=torch.float32) * -(math.log(10000.0) / d_model))
    table = torch.zeros(2 * frames - 1, d_model)
    table[:, 0::2] = torch.sin(distance * rate)
    table[:, 1::2] = torch.cos(distance * rate)
    return table


def chunk_mask(frames, left_context, look_ahead):
    """(frames, frames): frame i attends to its own chunk of look_ahead + 1 frames and the chunks in its left context."""
    chunk = look_ahead + 1
    index = torch.arange(frames) // chunk
    difference = index[:, None] - index[None]
    return (difference >= 0) & (difference <= left_context // chunk)


class FeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.linear1 = nn.Linear(config.d_model, config.d_ff)
        self.linear2 = nn.Linear(config.d_ff, config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x):
        return self.linear2(self.dropout(F.silu(self.linear1(x))))


class RelativeAttention(nn.Module):
    """Multi-head attention with relative positions and NeMo's untied biases."""

    def __init__(self, config):
        super().__init__()
        d_model, self.heads = config.d_model, config.n_heads
        self.d_k = d_model // self.heads
        self.linear_q = nn.Linear(d_model, d_model)
        self.linear_k = nn.Linear(d_model, d_model)
        self.linear_v = nn.Linear(d_model, d_model)
        self.linear_out = nn.Linear(d_model, d_model)
        self.linear_pos = nn.Linear(d_model, d_model, bias=False)
        self.pos_bias_u = nn.Parameter(torch.zeros(self.heads, self.d_k))
        self.pos_bias_v = nn.Parameter(torch.zeros(self.heads, self.d_k))

    def forward(self, x, penalty, positions):
        """x (batch, frames, d_model); penalty broadcasts over (batch, heads, frames, frames), -1e4 where masked."""
        batch, frames, _ = x.shape
        query = self.linear_q(x).view(batch, frames, self.heads, self.d_k)
        key = self.linear_k(x).view(batch, frames, self.heads, self.d_k).permute(0, 2, 3, 1)
        value = self.linear_v(x).view(batch, frames, self.heads, self.d_k).transpose(1, 2)
        position = self.linear_pos(positions).view(1, -1, self.heads, self.d_k).permute(0, 2, 3, 1)
        content = (query + self.pos_bias_u).transpose(1, 2) @ key
        place = (query + self.pos_bias_v).transpose(1, 2) @ position
        # Row i needs distances i - j: shift each row left by frames - 1 - i.
        place = F.pad(place, (1, 0)).view(batch, self.heads, 2 * frames, frames)[:, :, 1:]
        place = place.reshape(batch, self.heads, frames, 2 * frames - 1)[..., :frames]
        weights = torch.softmax((content + place) / math.sqrt(self.d_k) + penalty, dim=-1)
        return self.linear_out((weights @ value).transpose(1, 2).reshape(batch, frames, -1))


class ConvolutionModule(nn.Module):
    """Pointwise, GLU, causal depthwise, LayerNorm (named batch_norm as in NeMo), SiLU, pointwise."""

    def __init__(self, config):
        super().__init__()
        d_model, self.kernel = config.d_model, config.conv_kernel
        self.pointwise_conv1 = nn.Conv1d(d_model, 2 * d_model, 1)
        self.depthwise_conv = nn.Conv1d(d_model, d_model, self.kernel, groups=d_model)
        self.batch_norm = nn.LayerNorm(d_model)
        self.pointwise_conv2 = nn.Conv1d(d_model, d_model, 1)

    def forward(self, x, padding):
        x = F.linear(x, self.pointwise_conv1.weight.squeeze(-1), self.pointwise_conv1.bias)
        x = F.glu(x, -1)
        if padding is not None:
            x = x.masked_fill(padding.unsqueeze(-1), 0.0)
        if self.training and fused.AVAILABLE and x.device.type == "cpu":
            x = fused.Depthwise.apply(x, self.depthwise_conv.weight, self.depthwise_conv.bias)
        else:
            x = self.depthwise_conv(F.pad(x.transpose(1, 2), (self.kernel - 1, 0))).transpose(1, 2)
        x = F.silu(self.batch_norm(x))
        return F.linear(x, self.pointwise_conv2.weight.squeeze(-1), self.pointwise_conv2.bias)


class ConformerLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm_feed_forward1 = nn.LayerNorm(config.d_model)
        self.feed_forward1 = FeedForward(config)
        self.norm_self_att = nn.LayerNorm(config.d_model)
        self.self_attn = RelativeAttention(config)
        self.norm_conv = nn.LayerNorm(config.d_model)
        self.conv = ConvolutionModule(config)
        self.norm_feed_forward2 = nn.LayerNorm(config.d_model)
        self.feed_forward2 = FeedForward(config)
        self.norm_out = nn.LayerNorm(config.d_model)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x, penalty, positions, padding):
        x = x + 0.5 * self.dropout(self.feed_forward1(self.norm_feed_forward1(x)))
        x = x + self.dropout(self.self_attn(self.norm_self_att(x), penalty, positions))
        x = x + self.dropout(self.conv(self.norm_conv(x), padding))
        x = x + 0.5 * self.dropout(self.feed_forward2(self.norm_feed_forward2(x)))
        return self.norm_out(x)


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        self.pre_encode = Subsampling(config)
        self.layers = nn.ModuleList(ConformerLayer(config) for _ in range(config.n_layers))

    def forward(self, features, lengths, look_ahead, tap=0):
        """features (batch, frames, mel), lengths in frames -> (batch, encoder frames, d_model), their lengths; also what
        layer `tap` (from 1) gives, where asked."""
        x, lengths = self.pre_encode(features, lengths)
        frames = x.shape[1]
        allowed = chunk_mask(frames, self.config.left_context, look_ahead)[None]
        padding = None
        if bool((lengths < frames).any()):
            padding = torch.arange(frames)[None] >= lengths[:, None]
            allowed = allowed & ~padding[:, None, :]
        penalty = torch.zeros(allowed.shape).masked_fill_(~allowed, -1e4).unsqueeze(1)
        positions = relative_positions(frames, self.config.d_model)
        tapped = None
        for number, layer in enumerate(self.layers, 1):
            x = layer(x, penalty, positions, padding)
            tapped = x if number == tap else tapped
        return (x, lengths, tapped) if tap else (x, lengths)


class Prediction(nn.Module):
    """Token embedding (row `blank`, the last, is zero and starts a sequence) and one LSTM layer."""

    def __init__(self, config):
        super().__init__()
        self.embed = nn.Embedding(config.vocab_size + 1, config.pred_hidden, padding_idx=config.vocab_size)
        self.dec_rnn = nn.ModuleDict({"lstm": nn.LSTM(config.pred_hidden, config.pred_hidden, batch_first=True)})

    def forward(self, tokens, state=None):
        return self.dec_rnn["lstm"](self.embed(tokens), state)


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.prediction = Prediction(config)


class Joint(nn.Module):
    """ReLU(enc + pred) -> logits of vocab_size + 1 classes, blank last."""

    def __init__(self, config):
        super().__init__()
        self.enc = nn.Linear(config.d_model, config.joint_hidden)
        self.pred = nn.Linear(config.pred_hidden, config.joint_hidden)
        self.joint_net = nn.Sequential(nn.ReLU(), nn.Identity(), nn.Linear(config.joint_hidden, config.vocab_size + 1))

    def forward(self, encoded, predicted):
        """Both already projected by `enc` and `pred`."""
        return self.joint_net(encoded + predicted)


class CtcDecoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.decoder_layers = nn.Sequential(nn.Conv1d(config.d_model, config.vocab_size + 1, 1))

    def forward(self, encoded):
        layer = self.decoder_layers[0]
        return F.linear(encoded, layer.weight.squeeze(-1), layer.bias)


class Transducer(nn.Module):
    """Encoder, predictor and joiner, with the CTC, phone and teacher heads that only training uses."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.joint = Joint(config)
        self.ctc_decoder = CtcDecoder(config)
        self.aux_phone = nn.Linear(config.d_model, config.phones * config.phone_slots)
        if config.teacher_parts:
            self.aux_teacher = nn.Linear(config.d_model, config.teacher_parts)
        self.blank = config.vocab_size

    def predict(self, tokens, state=None):
        """(batch, n) tokens -> predictor outputs projected to the joint space, LSTM state."""
        output, state = self.decoder.prediction(tokens, state)
        return self.joint.pred(output), state


def only_for_training(name):
    """Whether a weight is of a head that no recognizer needs."""
    return name.startswith(("ctc_decoder.", "aux_"))


def export_state(model_state, config):
    """State dict under NeMo's names: the input normalisation folded into conv.0, the phone and teacher heads dropped."""
    state = {name: value.detach().clone().float() for name, value in model_state.items() if not name.startswith("aux_")}
    weight = state["encoder.pre_encode.conv.0.weight"] * config.input_scale
    state["encoder.pre_encode.conv.0.weight"] = weight
    state["encoder.pre_encode.conv.0.bias"] -= config.input_mean * weight.sum((1, 2, 3))
    return state


def import_state(exported, config):
    """The weights of the model from those of export_state()."""
    state = {name: value.detach().clone().float() for name, value in exported.items()}
    weight = state["encoder.pre_encode.conv.0.weight"]
    state["encoder.pre_encode.conv.0.bias"] += config.input_mean * weight.sum((1, 2, 3))
    state["encoder.pre_encode.conv.0.weight"] = weight / config.input_scale
    return state


@torch.no_grad()
def greedy_decode(model, features, lengths, look_ahead, max_symbols=5):
    """Token lists of a batch by greedy search, at most `max_symbols` tokens a frame."""
    encoded, lengths = model.encoder(features, lengths, look_ahead)
    encoded = model.joint.enc(encoded)
    batch = len(encoded)
    hypotheses = [[] for _ in range(batch)]
    predicted, state = model.predict(torch.full((batch, 1), model.blank))
    predicted = predicted[:, 0]
    for frame in range(encoded.shape[1]):
        active = torch.nonzero(lengths > frame)[:, 0]
        for _ in range(max_symbols):
            best = model.joint(encoded[active, frame], predicted[active]).argmax(-1)
            emitted = best != model.blank
            if not bool(emitted.any()):
                break
            active, best = active[emitted], best[emitted]
            for row, token in zip(active.tolist(), best.tolist()):
                hypotheses[row].append(token)
            output, (hidden, cell) = model.predict(best[:, None], (state[0][:, active], state[1][:, active]))
            predicted = predicted.index_copy(0, active, output[:, 0])
            state = (state[0].index_copy(1, active, hidden), state[1].index_copy(1, active, cell))
    return hypotheses
