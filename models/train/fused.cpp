// Channels-last kernels for the layers whose time PyTorch's CPU operators spend on layout and memory: the first two
// strided convolutions of the stem in one pass, and depthwise convolutions in two and one dimensions. Single-threaded;
// float32; the innermost loop runs over channels.

#include <torch/extension.h>

#include <cstring>
#include <vector>

using torch::Tensor;

namespace {

constexpr int64_t kTaps = 9;
constexpr int64_t kPad = 2;  // zeros before the first frame and band; one more follows the last

int64_t halve(int64_t length) { return length / 2 + 1; }

Tensor dense(const Tensor& tensor) { return tensor.to(torch::kFloat32).contiguous(); }

// The taps of a strided 3 x 3 window that lie inside (frames, bands), and their input positions.
struct Window {
  int count = 0;
  int64_t tap[kTaps], at[kTaps];

  Window(int64_t t, int64_t f, int64_t frames, int64_t bands) {
    for (int64_t i = 0; i < 3; ++i) {
      const int64_t row = 2 * t + i - kPad;
      if (row < 0 || row >= frames) continue;
      for (int64_t j = 0; j < 3; ++j) {
        const int64_t column = 2 * f + j - kPad;
        if (column < 0 || column >= bands) continue;
        tap[count] = i * 3 + j;
        at[count++] = row * bands + column;
      }
    }
  }
};

constexpr int64_t kLanes = 8;
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));

inline Lanes load(const float* from) {
  Lanes lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

inline void store(float* to, Lanes lanes) { std::memcpy(to, &lanes, sizeof lanes); }

inline void multiply_add(float* __restrict out, const float* __restrict a, const float* __restrict b, int64_t n) {
  for (int64_t c = 0; c < n; ++c) out[c] += a[c] * b[c];
}

inline void scale_add(float* __restrict out, const float* __restrict a, float factor, int64_t n) {
  for (int64_t c = 0; c < n; ++c) out[c] += a[c] * factor;
}

inline void add(float* __restrict out, const float* __restrict a, int64_t n) {
  for (int64_t c = 0; c < n; ++c) out[c] += a[c];
}

// One clip of a strided depthwise 3 x 3 convolution: in (frames, bands, n) -> out.
void depthwise(const float* in, int64_t frames, int64_t bands, const float* w, const float* bias, float* out, int64_t n) {
  const int64_t out_frames = halve(frames), out_bands = halve(bands);
  for (int64_t t = 0; t < out_frames; ++t)
    for (int64_t f = 0; f < out_bands; ++f, out += n) {
      const Window taps(t, f, frames, bands);
      int64_t c = 0;
      for (; c + kLanes <= n; c += kLanes) {
        Lanes sum = load(bias + c);
        for (int k = 0; k < taps.count; ++k) sum += load(w + taps.tap[k] * n + c) * load(in + taps.at[k] * n + c);
        store(out + c, sum);
      }
      for (; c < n; ++c) {
        out[c] = bias[c];
        for (int k = 0; k < taps.count; ++k) out[c] += w[taps.tap[k] * n + c] * in[taps.at[k] * n + c];
      }
    }
}

void depthwise_backward(const float* in, int64_t frames, int64_t bands, const float* w, const float* grad, float* grad_in,
                        float* grad_w, float* grad_bias, int64_t n) {
  const int64_t out_frames = halve(frames), out_bands = halve(bands);
  for (int64_t t = 0; t < out_frames; ++t)
    for (int64_t f = 0; f < out_bands; ++f, grad += n) {
      add(grad_bias, grad, n);
      const Window taps(t, f, frames, bands);
      for (int k = 0; k < taps.count; ++k) {
        multiply_add(grad_w + taps.tap[k] * n, in + taps.at[k] * n, grad, n);
        multiply_add(grad_in + taps.at[k] * n, w + taps.tap[k] * n, grad, n);
      }
    }
}

// One clip of relu(conv 1 -> n) with stride 2: in (frames, bands) -> out (frames / 2 + 1, bands / 2 + 1, n).
void first_layer(const float* in, int64_t frames, int64_t bands, const float* w, const float* bias, float* out, int64_t n) {
  const int64_t out_frames = halve(frames), out_bands = halve(bands);
  for (int64_t t = 0; t < out_frames; ++t)
    for (int64_t f = 0; f < out_bands; ++f, out += n) {
      const Window taps(t, f, frames, bands);
      int64_t c = 0;
      for (; c + kLanes <= n; c += kLanes) {
        Lanes sum = load(bias + c);
        for (int k = 0; k < taps.count; ++k) sum += load(w + taps.tap[k] * n + c) * in[taps.at[k]];
        store(out + c, sum > 0 ? sum : Lanes{});
      }
      for (; c < n; ++c) {
        float sum = bias[c];
        for (int k = 0; k < taps.count; ++k) sum += w[taps.tap[k] * n + c] * in[taps.at[k]];
        out[c] = sum > 0 ? sum : 0;
      }
    }
}

}  // namespace

// x (batch, frames, bands), w0 (9, n): relu(conv 1 -> n), then the depthwise w1 (9, n). What lies between stays in the
// cache: it is computed again for the gradients.
Tensor stem_forward(Tensor x, Tensor w0, Tensor b0, Tensor w1, Tensor b1) {
  x = dense(x), w0 = dense(w0), b0 = dense(b0), w1 = dense(w1), b1 = dense(b1);
  const int64_t batch = x.size(0), frames = x.size(1), bands = x.size(2), n = w0.size(1);
  const int64_t frames2 = halve(frames), bands2 = halve(bands);
  Tensor out = torch::empty({batch, halve(frames2), halve(bands2), n});
  std::vector<float> hidden(frames2 * bands2 * n);
  for (int64_t b = 0; b < batch; ++b) {
    first_layer(x.data_ptr<float>() + b * x.stride(0), frames, bands, w0.data_ptr<float>(), b0.data_ptr<float>(), hidden.data(), n);
    depthwise(hidden.data(), frames2, bands2, w1.data_ptr<float>(), b1.data_ptr<float>(), out.data_ptr<float>() + b * out.stride(0), n);
  }
  return out;
}

// Gradients of w0, b0, w1, b1.
std::vector<Tensor> stem_backward(Tensor x, Tensor w0, Tensor b0, Tensor w1, Tensor grad) {
  x = dense(x), w0 = dense(w0), b0 = dense(b0), w1 = dense(w1), grad = dense(grad);
  const int64_t batch = x.size(0), frames = x.size(1), bands = x.size(2), n = w1.size(1);
  const int64_t frames2 = halve(frames), bands2 = halve(bands);
  Tensor grad_w0 = torch::zeros({kTaps, n}), grad_b0 = torch::zeros({n});
  Tensor grad_w1 = torch::zeros({kTaps, n}), grad_b1 = torch::zeros({n});
  std::vector<float> hidden(frames2 * bands2 * n), grad_hidden(hidden.size());
  for (int64_t b = 0; b < batch; ++b) {
    const float* in = x.data_ptr<float>() + b * x.stride(0);
    first_layer(in, frames, bands, w0.data_ptr<float>(), b0.data_ptr<float>(), hidden.data(), n);
    std::fill(grad_hidden.begin(), grad_hidden.end(), 0.0f);
    depthwise_backward(hidden.data(), frames2, bands2, w1.data_ptr<float>(), grad.data_ptr<float>() + b * grad.stride(0),
                       grad_hidden.data(), grad_w1.data_ptr<float>(), grad_b1.data_ptr<float>(), n);
    for (int64_t t = 0; t < frames2; ++t)
      for (int64_t f = 0; f < bands2; ++f) {
        float* __restrict g = grad_hidden.data() + (t * bands2 + f) * n;
        const float* __restrict h = hidden.data() + (t * bands2 + f) * n;
        for (int64_t c = 0; c < n; ++c) g[c] = h[c] > 0 ? g[c] : 0;
        add(grad_b0.data_ptr<float>(), g, n);
        const Window taps(t, f, frames, bands);
        for (int k = 0; k < taps.count; ++k) scale_add(grad_w0.data_ptr<float>() + taps.tap[k] * n, g, in[taps.at[k]], n);
      }
  }
  return {grad_w0, grad_b0, grad_w1, grad_b1};
}

// x (batch, frames, bands, n), w (9, n) -> (batch, frames / 2 + 1, bands / 2 + 1, n).
Tensor depthwise2d_forward(Tensor x, Tensor w, Tensor bias) {
  x = dense(x), w = dense(w), bias = dense(bias);
  const int64_t batch = x.size(0), frames = x.size(1), bands = x.size(2), n = x.size(3);
  Tensor out = torch::empty({batch, halve(frames), halve(bands), n});
  for (int64_t b = 0; b < batch; ++b)
    depthwise(x.data_ptr<float>() + b * x.stride(0), frames, bands, w.data_ptr<float>(), bias.data_ptr<float>(),
              out.data_ptr<float>() + b * out.stride(0), n);
  return out;
}

std::vector<Tensor> depthwise2d_backward(Tensor x, Tensor w, Tensor grad) {
  x = dense(x), w = dense(w), grad = dense(grad);
  const int64_t batch = x.size(0), frames = x.size(1), bands = x.size(2), n = x.size(3);
  Tensor grad_x = torch::zeros_like(x), grad_w = torch::zeros({kTaps, n}), grad_bias = torch::zeros({n});
  for (int64_t b = 0; b < batch; ++b)
    depthwise_backward(x.data_ptr<float>() + b * x.stride(0), frames, bands, w.data_ptr<float>(),
                       grad.data_ptr<float>() + b * grad.stride(0), grad_x.data_ptr<float>() + b * x.stride(0),
                       grad_w.data_ptr<float>(), grad_bias.data_ptr<float>(), n);
  return {grad_x, grad_w, grad_bias};
}

// x (batch, frames, n), w (taps, n): causal, the last tap is the present frame.
Tensor depthwise1d_forward(Tensor x, Tensor w, Tensor bias) {
  x = dense(x), w = dense(w), bias = dense(bias);
  const int64_t batch = x.size(0), frames = x.size(1), n = x.size(2), taps = w.size(0);
  Tensor out = torch::empty_like(x);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < frames; ++t) {
      float* to = out.data_ptr<float>() + b * x.stride(0) + t * n;
      std::copy(bias.data_ptr<float>(), bias.data_ptr<float>() + n, to);
      for (int64_t k = std::max<int64_t>(0, taps - 1 - t); k < taps; ++k)
        multiply_add(to, w.data_ptr<float>() + k * n, x.data_ptr<float>() + b * x.stride(0) + (t + k - taps + 1) * n, n);
    }
  return out;
}

std::vector<Tensor> depthwise1d_backward(Tensor x, Tensor w, Tensor grad) {
  x = dense(x), w = dense(w), grad = dense(grad);
  const int64_t batch = x.size(0), frames = x.size(1), n = x.size(2), taps = w.size(0);
  Tensor grad_x = torch::zeros_like(x), grad_w = torch::zeros_like(w), grad_bias = torch::zeros({n});
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t t = 0; t < frames; ++t) {
      const float* g = grad.data_ptr<float>() + b * x.stride(0) + t * n;
      add(grad_bias.data_ptr<float>(), g, n);
      for (int64_t k = std::max<int64_t>(0, taps - 1 - t); k < taps; ++k) {
        const int64_t at = b * x.stride(0) + (t + k - taps + 1) * n;
        multiply_add(grad_w.data_ptr<float>() + k * n, x.data_ptr<float>() + at, g, n);
        multiply_add(grad_x.data_ptr<float>() + at, w.data_ptr<float>() + k * n, g, n);
      }
    }
  return {grad_x, grad_w, grad_bias};
}

PYBIND11_MODULE(TORCH_EXTENSION_NAME, m) {
  m.def("stem_forward", &stem_forward);
  m.def("stem_backward", &stem_backward);
  m.def("depthwise2d_forward", &depthwise2d_forward);
  m.def("depthwise2d_backward", &depthwise2d_backward);
  m.def("depthwise1d_forward", &depthwise1d_forward);
  m.def("depthwise1d_backward", &depthwise1d_backward);
}
