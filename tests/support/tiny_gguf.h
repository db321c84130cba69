// TinyGguf: a valid GGUF model of one layer, every part of which a test may change before it is
// written.
#pragma once

#include <algorithm>
#include <random>

#include "checkpoint/gguf_writer.h"
#include "support/random_model.h"

namespace orrery::testing {

struct TinyGguf {
  struct Tensor {
    std::string name;
    Format format;
    std::vector<u64> shape;
    std::vector<u8> bytes;
  };
  checkpoint::GgufMetadata metadata;
  std::vector<Tensor> tensors;

  static constexpr u32 kDim = 64, kWidth = 96, kHeads = 4, kKvHeads = 2, kVocab = 64;

  explicit TinyGguf(Format matrices = Format::kF32) {
    const auto number = [&](const char* key, u32 value) { set(key, {value}); };
    set("general.architecture", {std::string("llama")});
    number("llama.block_count", 1);
    number("llama.context_length", 128);
    number("llama.embedding_length", kDim);
    number("llama.feed_forward_length", kWidth);
    number("llama.attention.head_count", kHeads);
    number("llama.attention.head_count_kv", kKvHeads);
    number("llama.rope.dimension_count", kDim / kHeads);
    set("llama.rope.freq_base", {10000.0f});
    set("llama.attention.layer_norm_rms_epsilon", {1e-5f});
    number("llama.vocab_size", kVocab);

    const u64 kv = kDim / kHeads * kKvHeads;
    add("token_embd.weight", matrices, {kVocab, kDim});
    add("output_norm.weight", Format::kF32, {kDim});
    add("output.weight", matrices, {kVocab, kDim});
    add("blk.0.attn_norm.weight", Format::kF32, {kDim});
    add("blk.0.attn_q.weight", matrices, {kDim, kDim});
    add("blk.0.attn_k.weight", matrices, {kv, kDim});
    add("blk.0.attn_v.weight", matrices, {kv, kDim});
    add("blk.0.attn_output.weight", matrices, {kDim, kDim});
    add("blk.0.ffn_norm.weight", Format::kF32, {kDim});
    add("blk.0.ffn_gate.weight", matrices, {kWidth, kDim});
    add("blk.0.ffn_up.weight", matrices, {kWidth, kDim});
    add("blk.0.ffn_down.weight", matrices, {kDim, kWidth});
  }

  void set(const std::string& key, checkpoint::GgufValue value) {
    for (auto& [name, old] : metadata)
      if (name == key) {
        old = std::move(value);
        return;
      }
    metadata.emplace_back(key, std::move(value));
  }
  void erase(std::string_view key) {
    std::erase_if(metadata, [&](const auto& entry) { return entry.first == key; });
  }
  Tensor& tensor(std::string_view name) {
    return *std::find_if(tensors.begin(), tensors.end(),
                         [&](const Tensor& t) { return t.name == name; });
  }
  void remove(std::string_view name) {
    std::erase_if(tensors, [&](const Tensor& t) { return t.name == name; });
  }
  void add(const std::string& name, Format format, std::vector<u64> shape) {
    const u32 rows = shape.size() == 2 ? u32(shape[0]) : 1;
    std::vector<u8> bytes = random_rows(format, rows, u32(shape.back()), 0.05f, random_);
    tensors.push_back({name, format, std::move(shape), std::move(bytes)});
  }

  [[nodiscard]] Result<void> write(const std::filesystem::path& path) const {
    std::vector<checkpoint::GgufTensor> list;
    for (const Tensor& t : tensors) list.push_back({t.name, t.format, t.shape});
    TRY(const auto writer, checkpoint::GgufWriter::create(path, metadata, list));
    for (const Tensor& t : tensors) CHECK_OK(writer->write({t.bytes.data(), t.bytes.size()}));
    return writer->finish();
  }

 private:
  std::mt19937 random_{7};
};

}  // namespace orrery::testing
