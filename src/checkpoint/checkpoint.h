// Checkpoint: a model's files on disk, opened read-only: GGUF (one file or split) or a Hugging Face
// folder.
//
// Everything in a file is hostile until checked here: after open() every TensorView lies inside its
// file, has a named format, a shape whose bytes are exactly its extent, and overlaps no other.
// Shapes are in the order of the mathematics, [rows, cols] (GGUF stores them reversed). A matrix
// that a quantiser spread over several tensors (values here, scales there) is one view with an
// Encoding. It does not know what a tensor is for: names are strings, config values are looked up
// by key.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/format.h"
#include "checkpoint/config.h"

namespace orrery::checkpoint {

// How the values of a tensor are stored when they are not rows of one Format: spread over several
// tensors of the file, or in another order. docs/formats/quantized.md has the byte layouts.
class Encoding {
 public:
  // A tensor of the file that holds a part of the values; everything of it was checked.
  struct Part {
    Bytes bytes;
    u32 file;
  };

  virtual ~Encoding() = default;

  [[nodiscard]] virtual std::string_view name() const = 0;  // "NF4", for people

  // The format of rows that hold these values with nothing (or nothing that matters) lost, which a
  // loader packs by default.
  [[nodiscard]] virtual Format row_format() const = 0;

  // Row `row` of the tensor seen as [rows, cols] (leading dimensions multiplied together) in
  // `format`, which is kF32 or row_format(). `out` has row_bytes(format, cols). Any thread may call
  // it, and it allocates little. An error, which the caller gives the tensor's name: a value that
  // is damaged (no finite number).
  [[nodiscard]] virtual Result<void> read_row(u64 row, Format format, u8* out) const = 0;

  // What the values are read from.
  [[nodiscard]] virtual const std::vector<Part>& parts() const = 0;
};

struct TensorView {
  std::string name;
  Format format;           // with an encoding: what the file calls it, for people
  std::vector<u64> shape;  // [rows, cols], [experts, rows, cols], [n]; a scalar: []
  Bytes bytes;             // exactly the values, in the file's map (safetensors: at any address)
  u32 file = 0;            // which file of the checkpoint (for drop())
  // Null: `bytes` are rows of `format`. Else the values come from here only, and `bytes` is empty.
  std::shared_ptr<const Encoding> encoding = nullptr;
};

// What the values are called and how many bytes they take in the file, either way.
[[nodiscard]] std::string_view stored_format(const TensorView& tensor);
[[nodiscard]] u64 stored_bytes(const TensorView& tensor);

enum class Kind : u8 { kGguf, kHuggingFace };

class Checkpoint {
 public:
  // `path`: a .gguf file (of a split one: any part), a folder with config.json and safetensors, or
  // a folder with one .gguf file.
  [[nodiscard]] static Result<std::unique_ptr<Checkpoint>> open(const std::filesystem::path& path);
  virtual ~Checkpoint() = default;

  [[nodiscard]] virtual Kind kind() const = 0;
  [[nodiscard]] virtual const std::filesystem::path& path() const = 0;

  // GGUF: the metadata, all keys as they stand ("llama.block_count", "tokenizer.ggml.tokens").
  // Hugging Face: config.json.
  [[nodiscard]] virtual const Config& config() const = 0;

  // A small text file beside the weights ("tokenizer.json", "tokenizer_config.json",
  // "chat_template.jinja", "generation_config.json"); an error when there is none (GGUF: always).
  [[nodiscard]] virtual Result<std::string> text_file(std::string_view name) const = 0;

  [[nodiscard]] virtual const std::vector<TensorView>& tensors() const = 0;
  [[nodiscard]] virtual const TensorView* find(std::string_view name) const = 0;  // null: absent

  // The bytes of this tensor are not needed again soon (see MappedFile::drop).
  virtual void drop(const TensorView& tensor) const = 0;
  // The same of some of its bytes; it has no encoding.
  virtual void drop(const TensorView& tensor, Bytes part) const = 0;
  [[nodiscard]] virtual u64 file_bytes() const = 0;  // all weight files together
};

}  // namespace orrery::checkpoint
