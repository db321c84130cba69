// tokenizer_bench PATH load | PATH time FILE | PATH blocks: a tokenizer without the program.
//
// `load` prints the seconds that opening took; `time` encodes and decodes FILE several times and
// prints one JSON object a round (tools/bench_tokenizer.py interleaves rounds with Hugging Face
// tokenizers); `blocks` answers many texts at once, in binary, for tools/fuzz_tokenizer.py: ids,
// ids with the tokenizer's own tokens, and the text that comes back.
#include <chrono>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

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

// A number as its four bytes, least first: what Python's struct calls "<I".
void put(std::string& reply, std::size_t number) {
  for (int shift = 0; shift < 32; shift += 8) reply += char(number >> shift & 0xff);
}

void put(std::string& reply, const std::vector<TokenId>& ids) {
  put(reply, ids.size());
  for (const TokenId id : ids) put(reply, std::size_t(id));
}

// Reads a number, or nothing at the end of stdin.
std::optional<orrery::u32> take_number() {
  unsigned char bytes[4];
  if (!std::cin.read(reinterpret_cast<char*>(bytes), sizeof bytes)) return std::nullopt;
  return orrery::u32(bytes[0]) | orrery::u32(bytes[1]) << 8 | orrery::u32(bytes[2]) << 16 |
         orrery::u32(bytes[3]) << 24;
}

// A block is a number of texts, then each with its length before it. It is read whole before the
// answer goes out, so that whoever asks may write without reading.
void answer_blocks(const Tokenizer& tokenizer) {
  while (const auto count = take_number()) {
    std::vector<std::string> texts(*count);
    for (std::string& text : texts) {
      const auto bytes = take_number();
      if (!bytes) return;
      text.resize(*bytes);
      std::cin.read(text.data(), std::streamsize(*bytes));
    }
    std::string reply;
    for (const std::string& text : texts) {
      const auto ids = tokenizer.encode(text, Special::kNative, false);
      const std::string decoded = tokenizer.decode(ids, true);
      put(reply, ids);
      put(reply, tokenizer.encode(text, Special::kNative, true));
      put(reply, decoded.size());
      reply += decoded;
    }
    std::cout.write(reply.data(), std::streamsize(reply.size())).flush();
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
    std::cerr << "usage: tokenizer_bench PATH load | PATH time FILE | PATH blocks\n";
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
  } else if (mode == "blocks") {
    answer_blocks(**tokenizer);
  } else if (mode == "time" && argc > 3) {
    const auto text = orrery::read_text_file(argv[3], orrery::u64(1) << 30);
    if (!text) return 1;
    time_file(**tokenizer, *text);
  }
  return 0;
}
