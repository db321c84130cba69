// orrery compare: two models side by side, from their specs alone.
#include <fmt/format.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/files.h"
#include "apps/model_path.h"
#include "apps/options.h"
#include "apps/spec_text.h"
#include "apps/terminal.h"
#include "checkpoint/checkpoint.h"
#include "model/families/families.h"
#include "model/families/published.h"
#include "plan/figures.h"
#include "plan/memory.h"

namespace orrery::apps {
namespace {

struct Flags {
  std::string a, b;
  bool json = false, list = false;
};

struct Side {
  std::string name, source;
  model::ModelSpec spec;
};

constexpr u64 kLengths[] = {1024, 4096, 8192, 32768, 131072};
constexpr Format kFormats[] = {Format::kF32,  Format::kBF16, Format::kQ8_0,
                               Format::kQ6_K, Format::kQ4_K, Format::kMXFP4};
constexpr u64 kDepth = 4096;  // tokens before the one whose cost is told

Result<Side> find_side(const std::string& name) {
  if (const model::Published* published = model::find_published(name)) {
    TRY(model::ModelSpec spec, model::describe(*published));
    return Side{std::string(published->name),
                fmt::format("{}, {}", published->source, published->date), std::move(spec)};
  }
  auto path = find_model(name);
  if (!path)
    return fail("{}; nor is it one of the {} published models (orrery compare --list)",
                path.error().message, model::published().size());
  TRY(const auto checkpoint, checkpoint::Checkpoint::open(*path));
  auto description = model::describe(*checkpoint);
  if (!description) return at(path->string(), description.error());
  return Side{path->filename().string(), path->string(), std::move(description->spec)};
}

// One line of the picture: the same words for both, so that differences can be seen.
struct Line {
  std::string what, a, b;
};

std::vector<Line> lines_of(const Side& a, const Side& b) {
  std::vector<Line> lines;
  const auto add = [&](std::string what, const auto& text) {
    lines.push_back({std::move(what), text(a.spec), text(b.spec)});
  };
  using model::ModelSpec;
  add("attention", [](const ModelSpec& s) {
    return fmt::format("{}", fmt::join(folded(s, attention_text), "\n"));
  });
  add("feed-forward",
      [](const ModelSpec& s) { return fmt::format("{}", fmt::join(folded(s, ffn_text), "\n")); });
  add("width", [](const ModelSpec& s) { return grouped(s.dim); });
  add("norm", [](const ModelSpec& s) { return fmt::format("RMS, epsilon {:g}", s.norm_eps); });
  add("positions", [](const ModelSpec& s) { return rope_text(s.rope); });
  add("context", [](const ModelSpec& s) { return grouped(s.context); });
  add("vocabulary", [](const ModelSpec& s) {
    return fmt::format("{}, {} output", grouped(s.vocab), s.tied_output ? "tied" : "separate");
  });
  add("parameters", [](const ModelSpec& s) { return grouped(model::parameter_count(s)); });
  add("  of them active",
      [](const ModelSpec& s) { return grouped(model::active_parameter_count(s)); });
  for (Format format : kFormats)
    add(fmt::format("bytes in {}", name(format)),
        [&](const ModelSpec& s) { return bytes_text(plan::weights_bytes(s, format)); });
  add("cache a token", [](const ModelSpec& s) {
    return bytes_text(plan::kv_bytes_per_token(s, kernels::KvFormat::kF16));
  });
  for (u64 length : kLengths)
    add(fmt::format("cache at {}", grouped(length)),
        [&](const ModelSpec& s) { return bytes_text(plan::cache_bytes(s, length)); });
  add("work a token", [](const ModelSpec& s) {
    return fmt::format("{} operations", count_text(plan::operations_per_token(s, kDepth)));
  });
  add("reads a token", [](const ModelSpec& s) {
    return fmt::format("{} in Q4_K", bytes_text(plan::weights_bytes_met(s, Format::kQ4_K) +
                                                plan::cache_bytes(s, kDepth)));
  });
  return lines;
}

// Words broken into lines of at most `width`.
std::vector<std::string> wrapped(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  std::string line;
  const auto flush = [&] {
    lines.push_back(line);
    line.clear();
  };
  std::string word;
  for (const char c : text + "\n") {
    if (c != ' ' && c != '\n') {
      word += c;
      continue;
    }
    if (!line.empty() && line.size() + 1 + word.size() > width) flush();
    line += line.empty() ? word : " " + word;
    word.clear();
    if (c == '\n') flush();
  }
  return lines;
}

void print_lines(const Side& a, const Side& b) {
  const Style& s = out_style();
  constexpr std::size_t kWhat = 18;
  const std::size_t width = (std::max(72u, std::min(terminal_columns(), 140u)) - kWhat - 6) / 2;
  const auto row = [&](std::string_view what, const std::string& left, const std::string& right,
                       bool differs, std::string_view colour) {
    print(fmt::format("{}{} {:<{}}{}{}{:<{}}  {}{}\n", differs ? s.accent : s.dim,
                      differs ? "≠" : " ", what, kWhat, s.reset, colour, left, width, right,
                      s.reset));
  };
  row("", a.name, b.name, false, s.strong);
  row("", wrapped(a.source, width).front(), wrapped(b.source, width).front(), false, s.dim);
  for (const Line& line : lines_of(a, b)) {
    const auto left = wrapped(line.a, width), right = wrapped(line.b, width);
    for (std::size_t i = 0; i < std::max(left.size(), right.size()); ++i)
      row(i == 0 ? line.what : "", i < left.size() ? left[i] : "", i < right.size() ? right[i] : "",
          i == 0 && line.a != line.b, "");
  }
  print(fmt::format("{}Work and reads are those of a token after {} others.{}\n", s.dim,
                    grouped(kDepth), s.reset));
}

Json to_json(const Side& side) {
  const model::ModelSpec& spec = side.spec;
  Json bytes, cache;
  for (Format format : kFormats)
    bytes[std::string(name(format))] = plan::weights_bytes(spec, format);
  for (u64 length : kLengths) cache[std::to_string(length)] = plan::cache_bytes(spec, length);
  return {{"name", side.name},
          {"source", side.source},
          {"family", spec.family},
          {"parameters", model::parameter_count(spec)},
          {"active_parameters", model::active_parameter_count(spec)},
          {"layers", spec.layers.size()},
          {"prediction_layers", spec.prediction_layers},
          {"layer_kinds", folded_layers(spec)},
          {"dim", spec.dim},
          {"vocab", spec.vocab},
          {"context", spec.context},
          {"norm_eps", spec.norm_eps},
          {"tied_output", spec.tied_output},
          {"rope", rope_text(spec.rope)},
          {"kv_bytes_per_token", plan::kv_bytes_per_token(spec, kernels::KvFormat::kF16)},
          {"cache_bytes", cache},
          {"weights_bytes", bytes},
          {"operations_per_token", plan::operations_per_token(spec, kDepth)},
          {"weights_bytes_per_token", plan::weights_bytes_met(spec, Format::kQ4_K)}};
}

void print_list() {
  for (const model::Published& model : model::published()) {
    const auto spec = model::describe(model);
    print(fmt::format("{:<24}{:<9}{:>10}  {}\n", model.name, model.date,
                      spec ? count_text(model::parameter_count(*spec)) : "", model.source));
  }
}

Result<void> compare(const Flags& flags) {
  if (flags.list) {
    print_list();
    return {};
  }
  if (flags.a.empty() || flags.b.empty()) return fail("two models are needed to compare");
  TRY(const Side a, find_side(flags.a));
  TRY(const Side b, find_side(flags.b));
  if (!flags.json) {
    print_lines(a, b);
    return {};
  }
  Json differs = Json::array();
  for (const Line& line : lines_of(a, b))
    if (line.a != line.b) differs.push_back(line.what);
  const Json json = {{"models", {to_json(a), to_json(b)}}, {"differs", differs}};
  print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  return {};
}

}  // namespace

Command add_compare(CLI::App& program) {
  CLI::App* command = program.add_subcommand("compare", "Two models side by side");
  auto flags = std::make_shared<Flags>();
  command->add_option("A", flags->a, "A model's file, folder or name, or a published one");
  command->add_option("B", flags->b, "The other one");
  command->add_flag("--json", flags->json, "Print it as JSON");
  command->add_flag("--list", flags->list, "The published models that are known by name");
  set_examples(*command,
               "  orrery compare model.gguf ../other-folder\n"
               "  orrery compare SmolLM2 gpt-oss-20b --json\n"
               "  orrery compare --list\n");
  return {command, [flags] { return compare(*flags); }};
}

}  // namespace orrery::apps
