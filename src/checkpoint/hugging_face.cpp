// Hugging Face folders: which files belong together. Names of shards come from the index and are
// plain names in the same folder; the files themselves may be links, as in the hub's cache.
#include "checkpoint/hugging_face.h"

#include <algorithm>
#include <map>

#include "checkpoint/json.h"
#include "checkpoint/names.h"
#include "checkpoint/quantized.h"
#include "checkpoint/safetensors.h"

namespace orrery::checkpoint {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kWeights = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";
constexpr u64 kTextBytesMax = u64(64) << 20;  // tokenizer.json of the largest vocabularies: 35 MB
constexpr u64 kConfigBytesMax = u64(16) << 20;
constexpr u64 kShardsMax = 4096;  // the largest models have 200

bool is_file(const fs::path& path) {
  std::error_code code;
  return fs::is_regular_file(path, code);
}

// Which tensors the index places in which shard.
using ShardTable = std::map<std::string, Strings>;

Result<ShardTable> read_index(const fs::path& folder) {
  TRY(const std::string text, read_folder_text(folder, kIndex));
  TRY(const Object root, parse_json_object(text));
  const auto it = root.find("weight_map");
  const Object* weight_map = it == root.end() ? nullptr : std::get_if<Object>(&it->second.data);
  if (!weight_map) return fail("there is no object 'weight_map'");
  ShardTable shards;
  for (const auto& [tensor, value] : *weight_map) {
    const std::string* file = std::get_if<std::string>(&value.data);
    if (!file) return fail("weight_map: the file of tensor {} is no string", shown(tensor));
    if (!is_plain_file_name(*file))
      return fail("weight_map: {} is no plain name of a file in this folder", shown(*file));
    shards[*file].push_back(tensor);
    if (shards.size() > kShardsMax) return fail("weight_map: more than {} files", kShardsMax);
  }
  if (shards.empty()) return fail("weight_map is empty");
  return shards;
}

Result<void> append_shard(Contents& contents, std::string_view name) {
  const fs::path path = contents.path / name;
  TRY(MappedFile map, map_weights(path));
  Result<std::vector<TensorView>> tensors = parse_safetensors(map.bytes());
  if (!tensors) return at(path.string(), tensors.error());
  for (TensorView& tensor : *tensors) {
    tensor.file = u32(contents.files.size());
    contents.tensors.push_back(std::move(tensor));
  }
  contents.files.push_back(std::move(map));
  return {};
}

// Every tensor that the index promises must have been in its shard, the last one appended.
Result<void> check_promised(const Contents& contents, std::string_view shard,
                            const Strings& promised) {
  Strings found;
  for (const TensorView& tensor : contents.tensors)
    if (tensor.file + 1 == contents.files.size()) found.push_back(tensor.name);
  std::sort(found.begin(), found.end());
  for (const std::string& name : promised)
    if (!std::binary_search(found.begin(), found.end(), name))
      return fail("{}: tensor {} is not in it, but {} says so", (contents.path / shard).string(),
                  shown(name), kIndex);
  return {};
}

Result<void> append_shards(Contents& contents) {
  const Result<ShardTable> shards = read_index(contents.path);
  if (!shards) return at((contents.path / kIndex).string(), shards.error());
  for (const auto& [shard, promised] : *shards) {
    CHECK_OK(append_shard(contents, shard));
    CHECK_OK(check_promised(contents, shard, promised));
  }
  return {};
}

}  // namespace

bool has_safetensors(const fs::path& folder) {
  return is_file(folder / kWeights) || is_file(folder / kIndex);
}

Result<Contents> read_hugging_face(const fs::path& folder) {
  const fs::path config_path = folder / "config.json";
  TRY(const std::string text, read_text_file(config_path, kConfigBytesMax));
  Result<Config> config = parse_config(text);
  if (!config) return at(config_path.string(), config.error());
  Contents contents{Kind::kHuggingFace, folder, std::move(*config), {}, {}};
  if (is_file(folder / kWeights))
    CHECK_OK(append_shard(contents, kWeights));
  else
    CHECK_OK(append_shards(contents));
  Result<std::vector<TensorView>> joined = join_quantized(contents.config, contents.tensors);
  if (!joined) return at(folder.string(), joined.error());
  contents.tensors = std::move(*joined);
  return contents;
}

Result<std::string> read_folder_text(const fs::path& folder, std::string_view name) {
  if (!is_plain_file_name(name))
    return fail("{} is no plain name of a file in {}", shown(name), folder.string());
  TRY(std::string text, read_text_file(folder / name, kTextBytesMax));
  if (is_lfs_pointer(text))
    return fail("{}: this is a Git LFS pointer, not the file itself; run 'git lfs pull'",
                (folder / name).string());
  return text;
}

}  // namespace orrery::checkpoint
