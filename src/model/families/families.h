// Families: the table from a checkpoint's architecture to the function that describes it as data.
//
// The only place in the program that knows the names of model families. A family is one file beside
// this one: its description (an edit of its neighbour), nothing else.
#pragma once

#include "model/families/fields.h"
#include "model/spec.h"

namespace orrery::model {

struct Family {
  std::string_view name;          // for people
  std::string_view architecture;  // in config.json's "architectures"
  std::string_view gguf;  // GGUF general.architecture; empty: not in GGUF under its own name
  Result<ModelSpec> (*describe)(const Fields&);
  // GGUF files of this architecture store Q and K rows permuted so that rotary pairs are
  // neighbours; the binder undoes it, `forward` sees pairs half a head apart.
  bool gguf_permutes_qk;
};

[[nodiscard]] const std::vector<Family>& families();

struct Description {
  ModelSpec spec;
  const Family* family;
};

// What this checkpoint holds, as data. An unknown architecture is an error by name that lists ours.
[[nodiscard]] Result<Description> describe(const checkpoint::Checkpoint& checkpoint);

namespace families_detail {
Result<ModelSpec> llama(const Fields& fields);
Result<ModelSpec> mistral(const Fields& fields);
}  // namespace families_detail

}  // namespace orrery::model
