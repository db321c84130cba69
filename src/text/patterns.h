// The regular expressions that models' pre-tokenizers use, letter for letter as their files have
// them.
//
// A tokenizer.json carries its pattern, a GGUF file only a name for it. word_splitter.cpp has a
// hand-written matcher for each of these.
#pragma once

#include <string_view>

namespace orrery::text {

#define ORRERY_CONTRACTIONS R"((?i:'s|'t|'re|'ve|'m|'ll|'d))"
#define ORRERY_SPACE R"(|\s+(?!\S)|\s+)"
#define ORRERY_LLAMA3(digits)                                \
  ORRERY_CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?\p{L}+|)" digits \
                      R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)" ORRERY_SPACE
#define ORRERY_UPPER R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])"
#define ORRERY_LOWER R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])"
#define ORRERY_O200K(suffix, digits)                                           \
  R"([^\r\n\p{L}\p{N}]?)" ORRERY_UPPER "*" ORRERY_LOWER "+" suffix             \
  R"(|[^\r\n\p{L}\p{N}]?)" ORRERY_UPPER "+" ORRERY_LOWER "*" suffix "|" digits \
  R"(| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+)" ORRERY_SPACE
#define ORRERY_DEEPSEEK3(newlines)                                                        \
  R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^)" newlines R"(\p{L}\p{P}\p{S}]?)" \
  R"([\p{L}\p{M}]+| ?[\p{P}\p{S}]+[)" newlines R"(]*|\s*[\r\n]+)" ORRERY_SPACE

// GPT-2's, which the ByteLevel pre-tokenizer applies by default.
inline constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+)" ORRERY_SPACE;
inline constexpr std::string_view kLlama3Pattern = ORRERY_LLAMA3(R"(\p{N}{1,3})");
inline constexpr std::string_view kQwen2Pattern = ORRERY_LLAMA3(R"(\p{N})");
inline constexpr std::string_view kQwen35Pattern =
    ORRERY_CONTRACTIONS R"(|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})"
                        R"(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+)" ORRERY_SPACE;
inline constexpr std::string_view kO200kPattern =
    ORRERY_O200K(ORRERY_CONTRACTIONS "?", R"(\p{N}{1,3})");
inline constexpr std::string_view kTekkenPattern = ORRERY_O200K("", R"(\p{N})");
// DeepSeek's file has real line ends in two of its classes.
inline constexpr std::string_view kDeepSeek3Pattern = ORRERY_DEEPSEEK3("\r\n");
inline constexpr std::string_view kDeepSeek3EscapedPattern = ORRERY_DEEPSEEK3(R"(\r\n)");
inline constexpr std::string_view kDigitPattern = R"(\p{N})";
inline constexpr std::string_view kDigitsPattern = R"(\p{N}+)";
inline constexpr std::string_view kThreeDigitsPattern = R"(\p{N}{1,3})";
// The Chinese characters of Unicode 1.1, hiragana and katakana.
inline constexpr std::string_view kChineseJapanesePattern = "[一-龥\u3040-ゟ゠-ヿ]+";

#undef ORRERY_CONTRACTIONS
#undef ORRERY_SPACE
#undef ORRERY_LLAMA3
#undef ORRERY_UPPER
#undef ORRERY_LOWER
#undef ORRERY_O200K
#undef ORRERY_DEEPSEEK3

}  // namespace orrery::text
