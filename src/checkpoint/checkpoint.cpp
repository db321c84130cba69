// Checkpoint::open: finds out what a path holds, has the right reader check it, and keeps the maps
// open.
#include "checkpoint/checkpoint.h"

#include <algorithm>
#include <cstring>

#include "checkpoint/gguf.h"
#include "checkpoint/hugging_face.h"

namespace orrery::checkpoint {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSupported =
    "supported are GGUF files (version 2 and 3) and folders with config.json and safetensors";

class OpenCheckpoint final : public Checkpoint {
 public:
  OpenCheckpoint(Contents contents, std::vector<u32> by_name)
      : contents_(std::move(contents)), by_name_(std::move(by_name)) {}

  Kind kind() const override { return contents_.kind; }
  const fs::path& path() const override { return contents_.path; }
  const Config& config() const override { return contents_.config; }
  const std::vector<TensorView>& tensors() const override { return contents_.tensors; }

  Result<std::string> text_file(std::string_view name) const override {
    if (contents_.kind == Kind::kHuggingFace) return read_folder_text(contents_.path, name);
    return fail("{}: a GGUF checkpoint has no text files", contents_.path.string());
  }

  const TensorView* find(std::string_view name) const override {
    const auto it = std::lower_bound(
        by_name_.begin(), by_name_.end(), name,
        [&](u32 index, std::string_view wanted) { return contents_.tensors[index].name < wanted; });
    if (it == by_name_.end() || contents_.tensors[*it].name != name) return nullptr;
    return &contents_.tensors[*it];
  }

  void drop(const TensorView& tensor) const override {
    if (!tensor.encoding) return contents_.files[tensor.file].drop(tensor.bytes);
    for (const Encoding::Part& part : tensor.encoding->parts())
      contents_.files[part.file].drop(part.bytes);
  }

  void drop(const TensorView& tensor, Bytes part) const override {
    contents_.files[tensor.file].drop(part);
  }

  u64 file_bytes() const override {
    u64 total = 0;
    for (const MappedFile& file : contents_.files) total += file.bytes().size();
    return total;
  }

 private:
  Contents contents_;
  std::vector<u32> by_name_;
};

// What a file that we cannot read is, as far as its first bytes tell.
std::string_view foreign_format(Bytes bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("PK\x03\x04") || text.starts_with("\x80\x02"))
    return "a PyTorch file, save the model as safetensors";
  if (text.starts_with("lmgg") || text.starts_with("fmgg") || text.starts_with("tjgg"))
    return "a GGML file from before GGUF, convert the model anew";
  if (text.starts_with("FUGG")) return "a GGUF file of the other byte order";
  if (text.size() > 8 && text[8] == '{')
    return "a single safetensors file, open its folder instead";
  return "of no format that is known here";
}

Result<Contents> read_file(const fs::path& path) {
  {
    TRY(const MappedFile file, map_weights(path));
    const Bytes bytes = file.bytes();
    if (bytes.size() < 4 || std::memcmp(bytes.data(), "GGUF", 4) != 0)
      return fail("{}: this is {}; {}", path.string(), foreign_format(bytes), kSupported);
  }
  return read_gguf(path);
}

// The GGUF checkpoints of a folder: each file, of a split one only the first part.
Result<std::vector<fs::path>> list_gguf(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code code;
  for (fs::directory_iterator it(folder, code), end; !code && it != end; it.increment(code)) {
    if (it->path().extension() != ".gguf") continue;
    const auto split = parse_split_name(it->path().filename().string());
    if (!split || split->number == 1) paths.push_back(it->path());
  }
  if (code) return fail("{}: {}", folder.string(), code.message());
  std::sort(paths.begin(), paths.end());
  return paths;
}

Result<Contents> read_folder(const fs::path& folder) {
  std::error_code code;
  const bool has_config = fs::exists(folder / "config.json", code);
  if (has_config && has_safetensors(folder)) return read_hugging_face(folder);
  TRY(const std::vector<fs::path> paths, list_gguf(folder));
  if (paths.size() == 1) return read_file(paths[0]);
  if (paths.size() > 1)
    return fail("{}: {} GGUF checkpoints in this folder ({}, {}, ...), name the one to open",
                folder.string(), paths.size(), paths[0].filename().string(),
                paths[1].filename().string());
  if (has_config)
    return fail("{}: config.json, but neither model.safetensors nor model.safetensors.index.json",
                folder.string());
  if (has_safetensors(folder)) return fail("{}: safetensors, but no config.json", folder.string());
  return fail("{}: no checkpoint in this folder; {}", folder.string(), kSupported);
}

}  // namespace

std::string_view stored_format(const TensorView& tensor) {
  return tensor.encoding ? tensor.encoding->name() : name(tensor.format);
}

u64 stored_bytes(const TensorView& tensor) {
  if (!tensor.encoding) return tensor.bytes.size();
  u64 total = 0;
  for (const Encoding::Part& part : tensor.encoding->parts()) total += part.bytes.size();
  return total;
}

Result<std::unique_ptr<Checkpoint>> Checkpoint::open(const fs::path& path) {
  std::error_code code;
  const fs::file_status status = fs::status(path, code);
  if (!fs::exists(status)) return fail("{}: no such file or folder", path.string());
  TRY(Contents contents, fs::is_directory(status) ? read_folder(path) : read_file(path));
  Result<std::vector<u32>> by_name = order_by_name(contents.tensors);
  if (!by_name) return at(path.string(), by_name.error());
  return std::make_unique<OpenCheckpoint>(std::move(contents), std::move(*by_name));
}

}  // namespace orrery::checkpoint
