// The parsed template: expressions and statements as plain data.
//
// Names are numbers into Program::names, literals numbers into Program::constants. Every node knows
// its place in the source, so that a failure at rendering can say line and column.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/types.h"

namespace orrery::text::jinja {

struct Place {
  u32 line = 0, column = 0;
};
using Symbol = u32;
using ConstantValue = std::variant<std::monostate, bool, i64, f64, std::string>;

struct Expression;
using ExpressionPtr = std::unique_ptr<Expression>;

struct CallArguments {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> keywords;
  ExpressionPtr star, double_star;  // *args, **kwargs
};

enum class UnaryOp : u8 { kPlus, kMinus, kNot };
enum class BinaryOp : u8 { kAdd, kSub, kMul, kDiv, kFloorDiv, kMod, kPow, kAnd, kOr };
enum class CompareOp : u8 { kEq, kNe, kLt, kLe, kGt, kGe, kIn, kNotIn };

struct NameNode {
  Symbol symbol;
};
struct ConstantNode {
  u32 index;
};
struct SequenceNode {
  bool is_tuple;
  std::vector<ExpressionPtr> items;
};
struct DictNode {
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> items;
};
struct UnaryNode {
  UnaryOp op;
  ExpressionPtr operand;
};
struct BinaryNode {
  BinaryOp op;
  ExpressionPtr left, right;
};
struct CompareNode {
  ExpressionPtr first;
  std::vector<std::pair<CompareOp, ExpressionPtr>> rest;
};
struct ConcatNode {
  std::vector<ExpressionPtr> parts;
};
struct AttributeNode {
  ExpressionPtr object;
  std::string name;
};
struct SubscriptNode {
  ExpressionPtr object, index;
};
struct SliceNode {
  ExpressionPtr object, start, stop, step;
};
struct CallNode {
  ExpressionPtr callee;
  CallArguments arguments;
};
struct FilterNode {
  ExpressionPtr input;
  std::string name;
  CallArguments arguments;
};  // no input: block
struct TestNode {
  ExpressionPtr input;
  std::string name;
  CallArguments arguments;
};
struct ConditionalNode {
  ExpressionPtr test, yes, no;
};  // no `no`: undefined

struct Expression {
  Place place;
  u32 height;  // of the tree; limited, because it is walked by recursion
  std::variant<NameNode, ConstantNode, SequenceNode, DictNode, UnaryNode, BinaryNode, CompareNode,
               ConcatNode, AttributeNode, SubscriptNode, SliceNode, CallNode, FilterNode, TestNode,
               ConditionalNode>
      node;
};

// What can stand left of an assignment: a name, an attribute of a namespace, several of them.
struct Target {
  Place place;
  Symbol symbol = 0;
  std::string attribute;  // not empty: of the namespace `symbol`
  bool is_tuple = false;
  std::vector<Target> items;
};

struct Statement;
using Body = std::vector<Statement>;

struct DataNode {
  std::string bytes;
};
struct OutputNode {
  std::vector<ExpressionPtr> expressions;
};
struct IfNode {
  std::vector<std::pair<ExpressionPtr, Body>> branches;
  Body otherwise;
};
struct ForNode {
  Target target;
  ExpressionPtr items, test;
  bool recursive = false;
  Body body, otherwise;
};
struct SetNode {
  Target target;
  ExpressionPtr value;
};
struct SetBlockNode {
  Target target;
  ExpressionPtr filter;
  Body body;
};  // filter may be absent
struct MacroNode {
  std::string name;  // empty: the body of a call block
  Symbol symbol = 0;
  std::vector<Symbol> parameters;
  std::vector<std::string> parameter_names;
  std::vector<ExpressionPtr> defaults;  // of the last parameters
  Body body;
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false;  // as free names of the body
};
struct CallBlockNode {
  ExpressionPtr call;
  std::shared_ptr<MacroNode> body;
};
struct FilterBlockNode {
  ExpressionPtr filter;
  Body body;
};
struct WithNode {
  std::vector<std::pair<Target, ExpressionPtr>> bindings;
  Body body;
};
struct BlockNode {
  std::string name;
  bool scoped = false, required = false;
  Body body;
};
struct AutoescapeNode {
  ExpressionPtr value;
  Body body;
};
struct GenerationNode {
  Body body;
};  // transformers' {% generation %}: the body itself
struct BreakNode {};
struct ContinueNode {};
struct UnsupportedNode {
  std::string tag;
};  // include, import, extends: no loader, an error when run

struct Statement {
  Place place;
  std::variant<DataNode, OutputNode, IfNode, ForNode, SetNode, SetBlockNode,
               std::shared_ptr<MacroNode>, CallBlockNode, FilterBlockNode, WithNode, BlockNode,
               AutoescapeNode, GenerationNode, BreakNode, ContinueNode, UnsupportedNode>
      node;
};

struct Program {
  Body body;
  std::vector<std::string> names;
  std::vector<ConstantValue> constants;
  Symbol caller = 0, varargs = 0, kwargs = 0, loop = 0;
};

}  // namespace orrery::text::jinja
