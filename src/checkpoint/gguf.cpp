// GGUF files on disk: opens the one file, or all parts of a split checkpoint and holds them against
// each other.
#include "checkpoint/gguf.h"

#include <charconv>

namespace orrery::checkpoint {
namespace {

// How a part describes the whole: split.no, split.count, split.tensors.count.
struct Split {
  u32 index = 0;  // from 0
  u32 count = 1;
  std::optional<i64> tensors;
};

Result<Split> read_split(const Config& metadata) {
  constexpr u32 kPartsMax = 65'535;  // a u16 in the file
  Split split;
  TRY(split.count, metadata.u32_or("split.count", 1, 0, kPartsMax));
  if (split.count <= 1) return Split();  // merged files keep a count of 0
  TRY(split.index, metadata.require_u32("split.no", 0, split.count - 1));
  TRY(split.tensors, metadata.get_integer("split.tensors.count"));
  return split;
}

struct File {
  MappedFile map;
  Config metadata;
  Split split;
  std::vector<TensorView> tensors;
};

Result<File> open_file(const std::filesystem::path& path) {
  File file;
  TRY(file.map, map_weights(path));
  Result<GgufPart> part = parse_gguf(file.map.bytes());
  if (!part) return at(path.string(), part.error());
  file.metadata = Config(std::move(part->metadata));
  (void)file.metadata.find("general.alignment");  // parse_gguf has used it
  file.tensors = std::move(part->tensors);
  Result<Split> split = read_split(file.metadata);
  if (!split) return at(path.string(), split.error());
  file.split = *split;
  return file;
}

// Moves one part into the whole.
void append(Contents& contents, File file) {
  for (TensorView& tensor : file.tensors) {
    tensor.file = u32(contents.files.size());
    contents.tensors.push_back(std::move(tensor));
  }
  contents.files.push_back(std::move(file.map));
}

Result<Contents> read_split_parts(const std::filesystem::path& path, const Split& split) {
  const std::optional<SplitName> name = parse_split_name(path.filename().string());
  if (!name || name->count != split.count || name->number != split.index + 1)
    return fail("{}: this is part {} of {}, but its name does not end in -{:05}-of-{:05}.gguf",
                path.string(), split.index + 1, split.count, split.index + 1, split.count);
  Contents contents{Kind::kGguf, path, {}, {}, {}};
  for (u32 index = 0; index < split.count; ++index) {
    const auto part_path = path.parent_path() / fmt::format("{}-{:05}-of-{:05}.gguf", name->prefix,
                                                            index + 1, split.count);
    TRY(File file, open_file(part_path));
    if (file.split.index != index || file.split.count != split.count)
      return fail("{}: this is part {} of {}, but its name says {} of {}", part_path.string(),
                  file.split.index + 1, file.split.count, index + 1, split.count);
    if (file.split.tensors != split.tensors)
      return fail("{}: split.tensors.count is not the same as in the other parts",
                  part_path.string());
    if (index == 0) contents.config = std::move(file.metadata);
    append(contents, std::move(file));
  }
  if (split.tensors && *split.tensors != i64(contents.tensors.size()))
    return fail("{}: the parts have {} tensors, but split.tensors.count is {}", path.string(),
                contents.tensors.size(), *split.tensors);
  return contents;
}

}  // namespace

std::optional<SplitName> parse_split_name(std::string_view file_name) {
  constexpr std::string_view kForm = "-00001-of-00003.gguf";
  if (file_name.size() <= kForm.size()) return std::nullopt;
  const std::string_view end = file_name.substr(file_name.size() - kForm.size());
  if (end[0] != '-' || end.substr(6, 4) != "-of-" || end.substr(15) != ".gguf") return std::nullopt;
  const auto number = [](std::string_view digits) {
    u32 value = 0;
    const auto [stop, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return code == std::errc() && stop == digits.data() + digits.size() ? value : 0;
  };
  SplitName name{std::string(file_name.substr(0, file_name.size() - kForm.size())),
                 number(end.substr(1, 5)), number(end.substr(10, 5))};
  if (name.number == 0 || name.number > name.count) return std::nullopt;
  return name;
}

Result<Contents> read_gguf(const std::filesystem::path& path) {
  TRY(File file, open_file(path));
  if (file.split.count > 1) return read_split_parts(path, file.split);
  Contents contents{Kind::kGguf, path, std::move(file.metadata), {}, {}};
  append(contents, std::move(file));
  return contents;
}

}  // namespace orrery::checkpoint
