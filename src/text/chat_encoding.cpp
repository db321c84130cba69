#include "text/chat_encoding.h"

#include <algorithm>
#include <map>

namespace orrery::text {
namespace {

// Which ids are control tokens: those that the same characters do not give as plain text.
class Controls {
 public:
  explicit Controls(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  [[nodiscard]] bool is_control(TokenId id) {
    if (tokenizer_.is_special(id)) return true;
    const auto [entry, is_new] = known_.try_emplace(id, false);
    if (is_new) {
      const std::string_view name = tokenizer_.token_name(id);
      const auto among = [&](Special special) {
        const auto ids = tokenizer_.encode(name, special, false);
        return std::find(ids.begin(), ids.end(), id) != ids.end();
      };
      entry->second = among(Special::kParse) && !among(Special::kText);
    }
    return entry->second;
  }
  [[nodiscard]] std::vector<TokenId> in(std::span<const TokenId> ids) {
    std::vector<TokenId> found;
    for (const TokenId id : ids)
      if (is_control(id)) found.push_back(id);
    return found;
  }

 private:
  const Tokenizer& tokenizer_;
  std::map<TokenId, bool> known_;
};

}  // namespace

std::vector<TokenId> encode_segments(const Tokenizer& tokenizer,
                                     std::span<const Segment> segments) {
  std::string whole;
  std::vector<Segment> parts;  // neighbours of the same trust put together
  for (const Segment& segment : segments) {
    whole += segment.text;
    if (parts.empty() || parts.back().from_content != segment.from_content)
      parts.push_back(segment);
    else
      parts.back().text += segment.text;
  }
  Controls controls(tokenizer);
  std::vector<std::vector<TokenId>> own(parts.size());  // control tokens of the template's parts
  std::vector<TokenId> all_own;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].from_content) continue;
    own[i] = controls.in(tokenizer.encode(parts[i].text, Special::kParse, false));
    all_own.insert(all_own.end(), own[i].begin(), own[i].end());
  }
  const std::vector<TokenId> as_written = tokenizer.encode(whole, Special::kParse, false);
  if (controls.in(as_written) == all_own) return as_written;

  std::vector<TokenId> ids;
  std::string plain;
  const auto flush = [&] {
    const auto more = tokenizer.encode(plain, Special::kText, false);
    ids.insert(ids.end(), more.begin(), more.end());
    plain.clear();
  };
  for (std::size_t i = 0; i < parts.size(); ++i) {
    std::string_view rest = parts[i].text;
    for (const TokenId id : own[i]) {
      const std::string_view name = tokenizer.token_name(id);
      const std::size_t found = rest.find(name);
      if (found == std::string_view::npos) continue;
      plain += rest.substr(0, found);
      flush();
      ids.push_back(id);
      rest.remove_prefix(found + name.size());
    }
    plain += rest;
  }
  flush();
  return ids;
}

std::vector<u32> token_segments(const Tokenizer& tokenizer, std::span<const Segment> segments,
                                std::span<const TokenId> ids) {
  std::string whole;
  std::vector<std::size_t> ends;
  for (const Segment& segment : segments) {
    whole += segment.text;
    ends.push_back(whole.size());
  }
  std::vector<u32> places;
  std::size_t at = 0;
  for (const TokenId id : ids) {
    std::string bytes = tokenizer.is_special(id) ? std::string(tokenizer.token_name(id))
                                                 : tokenizer.token_bytes(id);
    const auto stands_here = [&] { return whole.compare(at, bytes.size(), bytes) == 0; };
    // Some tokenizers put a blank before a text that has none.
    if (!stands_here() && bytes.starts_with(' ')) bytes.erase(0, 1);
    const std::size_t blanks = bytes.find_first_not_of(' ');
    const std::size_t word = blanks == std::string::npos ? at : at + blanks;
    // A segment without text is nobody's.
    const auto end = std::upper_bound(ends.begin(), ends.end(), word);
    places.push_back(u32(std::min<std::size_t>(std::size_t(end - ends.begin()),
                                               segments.empty() ? 0 : segments.size() - 1)));
    at = std::min(at + bytes.size(), whole.size());
  }
  return places;
}

}  // namespace orrery::text
