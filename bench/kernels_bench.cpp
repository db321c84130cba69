// kernels_bench: how fast the matrix products are, layout by layout, beside what the machine can
// do.
//
//   kernels_bench [--isa NAME] [--format NAME] [--columns N] [--quick]
//
// For each layout and shape: matrix x vector over weights larger than the caches (GB/s of packed
// weights, and the fraction of the read probe taken just before), and matrix x matrix of 512
// columns (GOPS, and the fraction of what the rung's instructions for it reach), with 1 and with 2
// threads. Medians of several rounds.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "base/huge_buffer.h"
#include "base/thread_team.h"
#include "kernels/kernels.h"
#include "kernels/probe.h"

namespace orrery::kernels {
namespace {

struct Options {
  std::string isa, format;
  u32 columns = 512;
  bool quick = false;
};

struct Shape {
  Format format;
  u32 rows, cols;
};

constexpr Shape kShapes[] = {
    {Format::kQ4_1, 576, 576},    {Format::kQ4_1, 192, 576},   {Format::kQ4_1, 1536, 576},
    {Format::kQ4_1, 576, 1536},   {Format::kQ8_0, 49152, 576}, {Format::kQ4_K, 2048, 2048},
    {Format::kQ4_K, 8192, 2048},  {Format::kQ4_K, 2048, 8192}, {Format::kQ6_K, 2048, 8192},
    {Format::kQ6_K, 16384, 2048}, {Format::kQ4_0, 2048, 2048}, {Format::kQ8_0, 2048, 2048},
    {Format::kQ5_K, 2048, 2048},  {Format::kQ3_K, 2048, 2048}, {Format::kBF16, 2048, 2048},
    {Format::kF16, 2048, 2048},   {Format::kF32, 2048, 2048},
};

f64 median_seconds(u32 rounds, const std::function<void()>& job) {
  std::vector<f64> times;
  for (u32 i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    job();
    times.push_back(std::chrono::duration<f64>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(times.begin(), times.begin() + rounds / 2, times.end());
  return times[rounds / 2];
}

// Copies of one packed matrix until they are larger than any cache, so that a vector product reads
// memory.
struct Weights {
  HugeBuffer memory;
  std::vector<PackedMatrix> copies;
};

Result<Weights> make_weights(const Shape& shape, u64 bytes_wanted) {
  TRY(const Layout layout, layout_for(shape.format, false));
  const u64 size = packed_bytes(layout, shape.rows, shape.cols);
  const u64 count = std::max<u64>(1, divide_up(bytes_wanted, size));
  Weights weights;
  TRY(weights.memory, HugeBuffer::allocate(size * count));
  std::mt19937 random(1);
  std::vector<u8> row(*row_bytes(shape.format, shape.cols));
  const bool floats = info(shape.format).block_elements == 1;
  for (u8& byte : row) byte = floats ? u8(random() & 0x3f) : u8(random() & 0x37);
  const u8* rows[kPanelRows];
  for (const u8*& from : rows) from = row.data();
  u8* to = weights.memory.data();
  const u64 panel = panel_bytes(layout, shape.cols);
  pack_panel(shape.format, layout, rows, shape.cols, to);
  for (u64 at = panel; at + panel <= size * count; at += panel) std::memcpy(to + at, to, panel);
  for (u64 i = 0; i < count; ++i)
    weights.copies.push_back({layout, shape.rows, shape.cols, panel, to + i * size});
  return weights;
}

struct Input {
  std::vector<f32> values;
  HugeBuffer memory;
  Activations activations;
};

Result<Input> make_input(const Kernels& kernels, Layout layout, u32 cols, u32 columns) {
  Input input{std::vector<f32>(u64(columns) * cols), {}, {}};
  std::mt19937 random(2);
  std::normal_distribution<f32> normal;
  for (f32& value : input.values) value = normal(random);
  const ActivationKind kind = activation_kind(layout);
  TRY(input.memory, HugeBuffer::allocate(activation_bytes(kind, cols, columns)));
  input.activations = place_activations(kind, cols, columns, input.memory.data());
  kernels.quantize(input.values.data(), cols, input.activations, 0, columns);
  return input;
}

void run_matmul(const Kernels& kernels, ThreadTeam& team, const PackedMatrix& weights,
                const Activations& x, f32* out) {
  team.run([&](Worker& worker) {
    const Range mine = worker.share(weights.panels());
    kernels.matmul[u8(weights.layout)](weights, x, u32(mine.begin), u32(mine.end), out,
                                       weights.rows, false);
  });
}

Result<void> bench_shape(const Kernels& kernels, const Options& options, const Shape& shape) {
  TRY(const Weights weights, make_weights(shape, options.quick ? 96 << 20 : 384 << 20));
  TRY(const Input one, make_input(kernels, weights.copies[0].layout, shape.cols, 1));
  TRY(const Input many, make_input(kernels, weights.copies[0].layout, shape.cols, options.columns));
  std::vector<f32> out(u64(shape.rows) * options.columns);
  const f64 macs = f64(shape.rows) * shape.cols * options.columns;
  const u64 bytes =
      packed_bytes(weights.copies[0].layout, shape.rows, shape.cols) * weights.copies.size();
  std::string line = fmt::format("{:<7} {:>6} x {:<5}", name(shape.format), shape.rows, shape.cols);
  for (u32 threads : {1u, 2u}) {
    ThreadTeam team(threads);
    TRY(const f64 bandwidth, read_bandwidth(team, options.quick ? 128 << 20 : 512 << 20));
    const f64 vector_seconds = median_seconds(3, [&] {
      for (const PackedMatrix& copy : weights.copies)
        run_matmul(kernels, team, copy, one.activations, out.data());
    });
    const f64 peak = dot_peak(team, kernels.isa, dot_kind(weights.copies[0].layout));
    const u32 rounds = u32(std::clamp(2e10 / macs, 3.0, 200.0)) / (options.quick ? 3 : 1);
    const f64 matrix_seconds = median_seconds(std::max(rounds, 3u), [&] {
      run_matmul(kernels, team, weights.copies[0], many.activations, out.data());
    });
    const f64 rate = f64(bytes) / vector_seconds, gops = 2 * macs / matrix_seconds;
    line += fmt::format(" | {:>5.1f} GB/s {:>3.0f}% {:>6.0f} GOPS {:>3.0f}%", rate / 1e9,
                        100 * rate / bandwidth, gops / 1e9, peak > 0 ? 100 * gops / peak : 0);
  }
  fmt::print("{}\n", line);
  std::fflush(stdout);
  return {};
}

Result<void> bench(const Options& options) {
  TRY(const Kernels kernels, resolve(options.isa));
  fmt::print("rung {}, {} columns; 1 thread | 2 threads\n", name(kernels.isa), options.columns);
  for (const Shape& shape : kShapes)
    if (options.format.empty() || options.format == name(shape.format))
      CHECK_OK(bench_shape(kernels, options, shape));
  return {};
}

}  // namespace
}  // namespace orrery::kernels

int main(int count, char** arguments) {
  orrery::kernels::Options options;
  for (int i = 1; i < count; ++i) {
    const std::string argument = arguments[i];
    const bool more = i + 1 < count;
    if (argument == "--quick")
      options.quick = true;
    else if (argument == "--isa" && more)
      options.isa = arguments[++i];
    else if (argument == "--format" && more)
      options.format = arguments[++i];
    else if (argument == "--columns" && more)
      options.columns = std::max(1, std::atoi(arguments[++i]));
    else
      return fmt::print(
                 "usage: kernels_bench [--isa NAME] [--format NAME] [--columns N] [--quick]\n"),
             2;
  }
  const auto done = orrery::kernels::bench(options);
  if (!done) fmt::print(stderr, "kernels_bench: {}\n", done.error().message);
  return done ? 0 : 1;
}
