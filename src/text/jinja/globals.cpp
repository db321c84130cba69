// The global functions: jinja2's, and those that transformers adds for chat templates.
#include <ctime>

#include "text/jinja/builtins.h"
#include "text/jinja/interpreter.h"
#include "text/jinja/print.h"

namespace orrery::text::jinja {
namespace {

Value make_range(Interpreter& interpreter, Arguments& arguments) {
  const auto& given = arguments.positional;
  if (!arguments.keywords.empty()) raise("range() takes no keyword arguments");
  if (given.empty() || given.size() > 3)
    raise("range expected 1 to 3 arguments, got {}", given.size());
  const i64 first = given.size() == 1 ? 0 : require_integer(given[0]);
  const i64 last = require_integer(given[given.size() == 1 ? 0 : 1]);
  return make<Range>(interpreter.heap(), first, last,
                     given.size() == 3 ? require_integer(given[2]) : 1);
}

// dict(mapping or pairs, **more)
Ref<Dict> make_dict(Interpreter& interpreter, const Arguments& arguments) {
  Heap& heap = interpreter.heap();
  auto dict = make<Dict>(heap);
  if (arguments.positional.size() > 1) {
    raise("dict expected at most 1 argument, got {}", arguments.positional.size());
  }
  if (!arguments.positional.empty()) {
    const Value& from = arguments.positional[0];
    const Dict* other = from.is(Kind::kDict) ? &from.dict() : nullptr;
    if (other) {
      for (const auto& [key, value] : other->entries()) dict->set(key, value);
    } else {
      const auto iterator = iterate(heap, from);
      while (const auto pair = iterator->next()) {
        const auto items = to_list(heap, *pair);
        if (items->items.size() != 2) {
          raise("dictionary update sequence element has length {}; 2 is required",
                items->items.size());
        }
        dict->set(items->items[0], items->items[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.keywords) dict->set(Value(name), value);
  return dict;
}

Value make_namespace(Interpreter& interpreter, Arguments& arguments) {
  const auto attributes = make_dict(interpreter, arguments);
  auto ns = make<Namespace>(interpreter.heap());
  for (const auto& [key, value] : attributes->entries()) set_namespace_attribute(*ns, key, value);
  return ns;
}

Value make_cycler(Interpreter& interpreter, Arguments& arguments) {
  if (!arguments.keywords.empty()) raise("cycler() takes no keyword arguments");
  if (arguments.positional.empty()) raise("at least one item has to be provided");
  return make<Cycler>(interpreter.heap(), arguments.positional);
}

Value make_joiner(Interpreter& interpreter, Arguments& arguments) {
  const Bound bound("joiner", arguments, {"sep"});
  return make<Joiner>(interpreter.heap(), bound.get(0, text(interpreter.heap(), ", ")));
}

Value raise_exception(Interpreter& interpreter, Arguments& arguments) {
  const Bound bound("raise_exception", arguments, {"message"}, 1);
  raise("{}", to_string(interpreter.heap(), bound.at(0))->bytes());
}

Value strftime_now(Interpreter& interpreter, Arguments& arguments) {
  const Bound bound("strftime_now", arguments, {"format"}, 1);
  const std::string format(bound.string(0)->bytes());
  if (format.empty()) return text(interpreter.heap(), "");
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  std::string out(4096, '\0');
  out.resize(std::strftime(out.data(), out.size(), format.c_str(), &local));
  if (out.empty()) raise("strftime_now: the format gives nothing or too much");
  return text(interpreter.heap(), out, bound.string(0)->text().content_origin());
}

Value lipsum(Interpreter&, Arguments&) { raise("lipsum is not supported: it is random"); }

struct Global {
  std::string_view name;
  Value (*function)(Interpreter&, Arguments&);
};
constexpr Global kGlobals[] = {
    {"range", make_range},
    {"dict", [](Interpreter& i, Arguments& a) { return Value(make_dict(i, a)); }},
    {"namespace", make_namespace},
    {"cycler", make_cycler},
    {"joiner", make_joiner},
    {"raise_exception", raise_exception},
    {"strftime_now", strftime_now},
    {"lipsum", lipsum},
};

}  // namespace

std::optional<Value> find_global(Heap& heap, std::string_view name) {
  for (const Global& global : kGlobals) {
    if (global.name == name) return Value(make<Function>(heap, global.name, global.function));
  }
  return std::nullopt;
}

}  // namespace orrery::text::jinja
