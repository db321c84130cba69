// Fields: a checkpoint's settings under the names of the mathematics, whichever world they come
// from.
//
// config.json and GGUF metadata say the same things under different keys; field_names.cpp is the
// table between them, so that a family is described once. Reading rules that belong to a format
// (GGUF ties the output when there is no output tensor) live here, too.
#pragma once

#include <functional>

#include "checkpoint/checkpoint.h"
#include "model/spec.h"

namespace orrery::model {

class Fields {
 public:
  explicit Fields(const checkpoint::Checkpoint& checkpoint);

  [[nodiscard]] const checkpoint::Checkpoint& checkpoint() const { return *checkpoint_; }
  [[nodiscard]] bool is_gguf() const { return gguf_; }

  // The settings by neutral name ("dim", "heads", "window"): see the table in field_names.cpp.
  [[nodiscard]] Result<u32> count(std::string_view field) const;  // required
  [[nodiscard]] Result<u32> count_or(std::string_view field, u32 otherwise) const;
  [[nodiscard]] Result<f64> number(std::string_view field) const;
  [[nodiscard]] Result<f64> number_or(std::string_view field, f64 otherwise) const;
  [[nodiscard]] Result<bool> flag_or(std::string_view field, bool otherwise) const;
  [[nodiscard]] Result<std::optional<std::string>> text(std::string_view field) const;
  [[nodiscard]] bool has(std::string_view field) const;
  // Which layers a list names, by one word a layer ("sliding_attention"), by numbers of layers, or
  // by one number a layer. Without such a list: `otherwise`, asked for each layer.
  using LayerRule = std::function<bool(u32 layer)>;
  [[nodiscard]] Result<LayerRule> layers_of_type(std::string_view field, std::string_view type,
                                                 LayerRule otherwise) const;
  [[nodiscard]] Result<LayerRule> layers_listed(std::string_view field, LayerRule otherwise) const;
  [[nodiscard]] Result<LayerRule> layers_flagged(std::string_view field, LayerRule otherwise) const;
  // The key of this field in this checkpoint, for messages.
  [[nodiscard]] std::string key(std::string_view field) const;
  // A GGUF file shows some things by its tensors alone ("blk.0." and the rest of a name).
  [[nodiscard]] bool has_tensor(std::string_view rest, u32 layer = 0) const;

  // Tells people what was assumed because the checkpoint does not say it.
  void remark(std::string sentence) const { remarks_.push_back(std::move(sentence)); }
  [[nodiscard]] const std::vector<std::string>& remarks() const { return remarks_; }

  // What nearly all decoders share, read and checked in one go.
  struct Defaults {  // of settings that a family's configs may leave out
    f64 rope_base = 10000, rotary_fraction = 1;
  };
  [[nodiscard]] Result<ModelSpec> decoder(Defaults defaults) const;  // its layers are empty
  [[nodiscard]] Result<ModelSpec> decoder() const { return decoder(Defaults{}); }
  [[nodiscard]] Result<GroupedAttention> grouped_attention() const;
  [[nodiscard]] Result<LatentAttention> latent_attention() const;
  [[nodiscard]] Result<DeltaNet> delta_net() const;
  [[nodiscard]] Result<DenseFfn> dense_ffn() const;
  [[nodiscard]] Result<ExpertFfn> expert_ffn() const;  // with the router's settings that are given
  [[nodiscard]] Result<QueryTemperature> temperature() const;
  // Gives its window to the grouped attention of the layers that slide.
  [[nodiscard]] Result<void> set_windows(ModelSpec& spec, LayerRule otherwise) const;

 private:
  [[nodiscard]] Result<void> refuse_unsupported() const;
  [[nodiscard]] Result<Rope> rope(Defaults defaults) const;
  [[nodiscard]] Result<Rope> hugging_face_rope(Defaults defaults) const;
  [[nodiscard]] Result<void> hugging_face_yarn(Rope& rope) const;
  [[nodiscard]] Result<void> hugging_face_tables(Rope& rope) const;
  [[nodiscard]] Result<Rope> gguf_rope(Defaults defaults) const;
  [[nodiscard]] Result<void> gguf_tables(Rope& rope) const;
  // What YaRN's temperature makes of the softmax scale of latent attention.
  [[nodiscard]] Result<f64> softmax_factor() const;
  // The rotary settings of config.json: newer exports have rope_parameters, older ones
  // rope_scaling; "rope_parameters." and what stands in it.
  [[nodiscard]] std::string rope_key(std::string_view name) const;
  // A bias is there when config.json says so; GGUF does not say, its tensors do.
  [[nodiscard]] Result<bool> bias(std::string_view field, std::string_view gguf_tensor) const;

  const checkpoint::Checkpoint* checkpoint_;
  mutable std::vector<std::string> remarks_;
  bool gguf_;
  std::string prefix_;  // "llama." of GGUF keys, "text_config." where a wrapper's config has one
};

}  // namespace orrery::model
