// Tokenizer::open: which reader a file or a folder needs.
//
// A folder may hold the same tokenizer in several forms; tokenizer.json says the most and goes
// first.
#include <algorithm>
#include <fstream>

#include "base/huge_buffer.h"
#include "base/mapped_file.h"
#include "text/json_readers.h"
#include "text/tokenizer.h"

namespace orrery::text {

namespace {

namespace fs = std::filesystem;

bool is_sentencepiece_name(const std::string& name) {  // tokenizer.model, tokenizer.model.v3
  return name.ends_with(".model") || name.find(".model.") != std::string::npos;
}

// tekken.json and tokenizer.json are told apart by what only the first has near its beginning or
// name.
bool is_tekken(const std::string& name, std::string_view json) {
  return name.starts_with("tekken") ||
         json.substr(0, 4096).find("\"default_num_special_tokens\"") != std::string_view::npos;
}

// The file of a folder to read, or an empty path.
fs::path file_in(const fs::path& folder) {
  std::error_code error;
  for (const char* name : {"tokenizer.json", "tekken.json", "tokenizer.model"}) {
    if (fs::is_regular_file(folder / name, error)) return folder / name;
  }
  std::vector<fs::path> versions;  // tokenizer.model.v3, tekken_240911.json
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (is_sentencepiece_name(name) || (name.starts_with("tekken") && name.ends_with(".json"))) {
      versions.push_back(entry.path());
    }
  }
  return versions.size() == 1 ? versions[0] : fs::path();
}

Result<std::unique_ptr<Tokenizer>> open_sentencepiece(const fs::path& file) {
  TRY(const std::string bytes, read_text_file(file));
  return Tokenizer::from_sentencepiece(bytes);
}

// The file in huge pages, zeros behind it as simdjson wants them. Half of the time to load a file
// of 28 MB was the kernel's, handing out small pages.
Result<HugeBuffer> read_padded(const fs::path& file, u64 size) {
  TRY(HugeBuffer buffer, HugeBuffer::allocate(size + simdjson::SIMDJSON_PADDING));
  std::ifstream stream(file, std::ios::binary);
  if (!stream.read(reinterpret_cast<char*>(buffer.data()), std::streamsize(size))) {
    return fail("cannot be read");
  }
  return buffer;
}

Result<std::unique_ptr<Tokenizer>> open_json(const fs::path& file, const std::string& name) {
  std::error_code error;
  const u64 size = fs::file_size(file, error);
  if (error || size > kJsonFileBytesMax) {
    return fail("cannot be read, or is larger than a tokenizer");
  }
  TRY(const HugeBuffer buffer, read_padded(file, size));
  const simdjson::padded_string_view json(reinterpret_cast<const char*>(buffer.data()), size,
                                          buffer.size_bytes());
  return is_tekken(name, json) ? read_tekken(json) : read_tokenizer_json(json);
}

}  // namespace

fs::path Tokenizer::file_of(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) return file_in(path);
  const bool named = path.extension() == ".json" || is_sentencepiece_name(path.filename().string());
  return named ? path : fs::path();
}

Result<std::unique_ptr<Tokenizer>> Tokenizer::open(const fs::path& path) {
  const fs::path file = file_of(path);
  if (file.empty()) {
    return fail("{} has no tokenizer.json, tekken.json or tokenizer.model", path.string());
  }
  const std::string name = file.filename().string();
  auto tokenizer = is_sentencepiece_name(name) ? open_sentencepiece(file) : open_json(file, name);
  if (!tokenizer) return at(file.string(), tokenizer.error());
  return tokenizer;
}

}  // namespace orrery::text
