// tokenizer_bench PATH load | PATH time FILE | PATH jsonl: how fast a tokenizer is, without the
// program.
//
// `load` prints the seconds that opening took; `time` encodes and decodes FILE several times and
// prints one JSON object a round (tools/bench_tokenizer.py interleaves rounds with Hugging Face
// tokenizers); `jsonl` answers {"text"} lines as `orrery tokenize --jsonl` does.
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>

#include "base/mapped_file.h"
#include "checkpoint/checkpoint.h"
#include "engine/text_loading.h"

namespace {

using orrery::text::Special;
using orrery::text::TokenId;
using orrery::text::Tokenizer;
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

orrery::Result<std::unique_ptr<Tokenizer>> open(const std::string& path) {
  if (!path.ends_with(".gguf")) return Tokenizer::open(path);
  TRY(const auto checkpoint, orrery::checkpoint::Checkpoint::open(path));
  return orrery::engine::load_tokenizer(*checkpoint);
}

void answer_lines(const Tokenizer& tokenizer) {
  std::string line;
  while (std::getline(std::cin, line)) {
    const auto request = nlohmann::json::parse(line);
    const auto& text = request["text"].get_ref<const std::string&>();
    nlohmann::json reply;
    const auto ids = tokenizer.encode(text, Special::kNative, false);
    reply["ids"] = ids;
    reply["ids_special"] = tokenizer.encode(text, Special::kNative, true);
    reply["decoded"] = tokenizer.decode(ids, true);
    std::cout << reply.dump() << '\n';
  }
}

// Documents as they would come in requests: about 16 KB each, cut at line ends.
std::vector<std::string_view> documents_of(std::string_view text) {
  constexpr std::size_t kBytes = 16 << 10;
  std::vector<std::string_view> documents;
  while (!text.empty()) {
    const auto cut = text.size() <= kBytes ? std::string_view::npos : text.find('\n', kBytes);
    documents.push_back(text.substr(0, cut == std::string_view::npos ? cut : cut + 1));
    text.remove_prefix(documents.back().size());
  }
  return documents;
}

void time_file(const Tokenizer& tokenizer, const std::string& text) {
  const auto documents = documents_of(text);
  for (std::string line; std::getline(std::cin, line);) {  // one round for each line on stdin
    std::vector<std::vector<TokenId>> ids;
    std::size_t tokens = 0, bytes_back = 0;
    auto start = Clock::now();
    for (const auto document : documents) {
      ids.push_back(tokenizer.encode(document, Special::kNative, false));
      tokens += ids.back().size();
    }
    const double encode = seconds_since(start);
    start = Clock::now();
    for (const auto& document : ids) bytes_back += tokenizer.decode(document, true).size();
    const double decode = seconds_since(start);
    std::cout << nlohmann::json{{"tokens", tokens},
                                {"encode_s", encode},
                                {"decode_s", decode},
                                {"bytes_back", bytes_back}}
              << std::endl;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: tokenizer_bench PATH load | PATH time FILE | PATH jsonl\n";
    return 1;
  }
  const auto start = Clock::now();
  const auto tokenizer = open(argv[1]);
  if (!tokenizer) {
    std::cerr << "error: " << tokenizer.error().message << '\n';
    return 1;
  }
  const std::string_view mode = argv[2];
  if (mode == "load") {
    std::cout << nlohmann::json{{"load_s", seconds_since(start)}} << '\n';
  } else if (mode == "jsonl") {
    answer_lines(**tokenizer);
  } else if (mode == "time" && argc > 3) {
    const auto text = orrery::read_text_file(argv[3], orrery::u64(1) << 30);
    if (!text) return 1;
    time_file(**tokenizer, *text);
  }
  return 0;
}
