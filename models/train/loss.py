"""Transducer loss over the paths near an alignment (alignment-restricted RNN-T, Mahadeokar et al., 2021)."""

import torch


def band_starts(emissions, token_lengths, frames, before, after):
    """First and last allowed number of emitted tokens at each frame: two (batch, frames) tensors."""
    time = torch.arange(frames)[None, None]
    valid = torch.arange(emissions.shape[1])[None] < token_lengths[:, None]
    late = ((emissions[:, :, None] + after < time) & valid[:, :, None]).sum(1)  # must be out by now
    early = ((emissions[:, :, None] - before <= time) & valid[:, :, None]).sum(1)  # may be out by now
    return late, early


def banded_transducer_loss(joint, projected, predicted, lengths, batch, blank, before=1, after=3):
    """Mean negative log-likelihood a token, summed over the paths that emit each token between `before` frames ahead
    of its aligned frame and `after` frames behind it.

    projected (batch, frames, joint), predicted (batch, tokens + 1, joint). The lattice row of a frame holds `width`
    states from the first allowed one; only these are evaluated by the joiner.
    """
    frames = projected.shape[1]
    low, high = band_starts(batch.emissions, batch.token_lengths, frames, before, after)
    width = int((high - low).max()) + 1
    # State s of frame t is low[t] + s tokens emitted before or during t.
    state = low[:, :, None] + torch.arange(width)
    inside = state <= high[:, :, None]
    state = state.clamp(max=predicted.shape[1] - 1)
    rows = torch.arange(len(low))[:, None, None]
    log_probs = joint(projected.unsqueeze(2), predicted[rows, state]).log_softmax(-1)
    stay = log_probs[..., blank]
    token = batch.tokens.gather(1, state.clamp(max=batch.tokens.shape[1] - 1).flatten(1)).view(state.shape)
    emit = log_probs.gather(-1, token.unsqueeze(-1)).squeeze(-1)
    final = batch.token_lengths[:, None, None]
    # A token may be emitted in a frame only if the state after it is inside the band, too.
    can_emit = torch.zeros_like(inside)
    can_emit[:, :, :-1] = inside[:, :, 1:] & inside[:, :, :-1]
    can_emit &= state < final
    impossible = -1e4
    emit = emit.masked_fill(~can_emit, impossible)
    stay = stay.masked_fill(~inside, impossible)
    alpha = torch.full((len(low), width), impossible)
    alpha[:, 0] = 0.0
    ends = []
    # Prefix sums of `emit` turn the recursion along the states into one logcumsumexp a frame.
    climbed = torch.cat([torch.zeros(len(low), frames, 1), emit[..., :-1].cumsum(-1)], -1)
    shift = torch.cat([low[:, :1] * 0, low[:, 1:] - low[:, :-1]], 1)
    columns = torch.arange(width)[None]
    for t in range(frames):
        if t:
            source = columns + shift[:, t : t + 1]
            alpha = torch.where(source < width, alpha.gather(1, source.clamp(max=width - 1)), impossible)
        alpha = torch.logcumsumexp(alpha - climbed[:, t], 1) + climbed[:, t]
        alpha = (alpha + stay[:, t]).clamp(min=4 * impossible)
        ends.append(alpha)
    last = torch.stack(ends, 1)[torch.arange(len(low)), lengths - 1]
    at = (batch.token_lengths - low[torch.arange(len(low)), lengths - 1]).clamp(0, width - 1)
    score = last.gather(1, at[:, None])[:, 0]
    usable = (score > impossible / 2) & batch.told
    return -(score * usable).sum() / (batch.token_lengths * usable).sum().clamp(min=1)
