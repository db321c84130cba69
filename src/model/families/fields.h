// Fields: a checkpoint's settings under the names of the mathematics, whichever world they come
// from.
//
// config.json and GGUF metadata say the same things under different keys; this is the table between
// them, so that a family is described once. Reading rules that belong to a format (GGUF ties the
// output when there is no output tensor) live here, too.
#pragma once

#include "checkpoint/checkpoint.h"
#include "model/spec.h"

namespace orrery::model {

class Fields {
 public:
  explicit Fields(const checkpoint::Checkpoint& checkpoint);

  [[nodiscard]] const checkpoint::Checkpoint& checkpoint() const { return *checkpoint_; }

  // The settings by neutral name ("dim", "heads", "window"): see the table in fields.cpp.
  [[nodiscard]] Result<u32> count(std::string_view field) const;  // required
  [[nodiscard]] Result<u32> count_or(std::string_view field, u32 otherwise) const;
  [[nodiscard]] Result<f64> number(std::string_view field) const;
  [[nodiscard]] Result<f64> number_or(std::string_view field, f64 otherwise) const;
  // The key of this field in this checkpoint, for messages.
  [[nodiscard]] std::string key(std::string_view field) const;

  // What nearly all decoders share, read and checked in one go.
  [[nodiscard]] Result<ModelSpec> decoder() const;  // everything but the layers
  [[nodiscard]] Result<GroupedAttention> grouped_attention() const;
  [[nodiscard]] Result<DenseFfn> dense_ffn() const;
  [[nodiscard]] Result<u32> layer_count() const;

  // Settings that change the result and that we do not compute: an error that names them.
  [[nodiscard]] Result<void> refuse_unsupported() const;

 private:
  [[nodiscard]] Result<Rope> rope() const;
  [[nodiscard]] Result<Rope> hugging_face_rope() const;
  [[nodiscard]] Result<Rope> gguf_rope() const;
  // A bias is there when config.json says so; GGUF does not say, its tensors do.
  [[nodiscard]] Result<bool> bias(std::string_view setting, std::string_view gguf_tensor) const;

  const checkpoint::Checkpoint* checkpoint_;
  bool gguf_;
  std::string prefix_;  // "llama." of GGUF keys
};

}  // namespace orrery::model
