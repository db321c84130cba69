// Lexer: a template's source as tokens, with the white space that tags take away already gone.
//
// Set as transformers sets jinja2: trim_blocks (a newline after a block tag goes) and lstrip_blocks
// (white space before a block tag at the start of a line goes), no line statements, one trailing
// newline dropped. Raw blocks and comments end here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/ast.h"

namespace orrery::text::jinja {

enum class TokenKind : u8 {
  kData,
  kVariableBegin,
  kVariableEnd,
  kBlockBegin,
  kBlockEnd,
  kName,
  kString,
  kInteger,
  kFloat,
  kOperator,
  kEnd,
};

struct Token {
  TokenKind kind;
  std::string text;  // kData and kString: the value; kName and kOperator: as written
  i64 integer = 0;
  f64 real = 0;
  Place place;

  [[nodiscard]] bool is_name(std::string_view name) const {
    return kind == TokenKind::kName && text == name;
  }
  [[nodiscard]] bool is_op(std::string_view op) const {
    return kind == TokenKind::kOperator && text == op;
  }
};

// Raises a TemplateError for what is no template.
[[nodiscard]] std::vector<Token> tokenize(std::string_view source);

}  // namespace orrery::text::jinja
