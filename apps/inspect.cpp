// orrery inspect: what is in a checkpoint, and what this machine will do with it. No weight is
// read.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "apps/command.h"
#include "apps/files.h"
#include "apps/model_path.h"
#include "apps/options.h"
#include "apps/spec_text.h"
#include "apps/terminal.h"
#include "engine/engine.h"
#include "engine/lint.h"
#include "engine/text_files.h"
#include "forward/kv_cache.h"
#include "plan/host.h"
#include "plan/memory.h"

namespace orrery::apps {
namespace {

using checkpoint::Checkpoint;
using model::BoundTensor;

struct Flags {
  std::string model;
  bool kernels = false, tensors = false, json = false;
};

// Everything that is shown, gathered once.
struct Facts {
  std::unique_ptr<Checkpoint> checkpoint;
  model::Description description;
  model::BindPlan binding;
  engine::TextFiles text;
  std::string why_no_text;
  u64 kv_bytes_per_token = 0;  // f16
  std::vector<std::string> unread, warnings;
};

Result<Facts> gather(const std::filesystem::path& path) {
  Facts facts;
  TRY(facts.checkpoint, Checkpoint::open(path));
  TRY(facts.description, model::describe(*facts.checkpoint));
  TRY(facts.binding, model::plan_binding(*facts.checkpoint, facts.description, {}));
  facts.kv_bytes_per_token =
      plan::kv_bytes_per_token(facts.description.spec, kernels::KvFormat::kF16);
  facts.unread = engine::unread_settings(*facts.checkpoint);
  if (auto text = engine::open_text_files(path))
    facts.text = std::move(*text);
  else
    facts.text.why_no_tokenizer = facts.text.why_no_template = text.error().message;
  facts.warnings = engine::lint(facts.description, facts.text);
  return facts;
}

struct FormatUse {
  u64 tensors = 0, bytes = 0;
};
std::map<std::string_view, FormatUse> formats_of(const Facts& facts) {
  std::map<std::string_view, FormatUse> uses;
  std::set<const checkpoint::TensorView*> seen;  // one tensor may serve several roles
  for (const model::Stored& source : facts.binding.sources) {
    if (!seen.insert(source.view).second) continue;
    FormatUse& use = uses[stored_format(*source.view)];
    ++use.tensors;
    use.bytes += stored_bytes(*source.view);
  }
  return uses;
}

Json tokenizer_json(const engine::TextFiles& text) {
  if (!text.tokenizer) return {{"error", text.why_no_tokenizer}};
  const auto& tokenizer = *text.tokenizer;
  Json json{{"vocab", tokenizer.vocab_size()}, {"pre_tokenizer", tokenizer.pre_tokenizer_name()}};
  for (const auto& [key, value] : text.variables.items()) json[key] = value;
  return json;
}

Json host_json(const plan::Host& host) {
  Json json{{"cpu", host.cpu_name},
            {"isa", host.isa},
            {"cores", host.cores},
            {"threads", host.threads},
            {"threads_best", host.threads_best},
            {"cache_l1d_bytes", host.cache_l1d_bytes},
            {"cache_l2_bytes", host.cache_l2_bytes},
            {"cache_l3_bytes", host.cache_l3_bytes},
            {"memory_bytes", host.memory_bytes},
            {"memory_available_bytes", host.memory_available_bytes},
            {"huge_pages", huge_pages_text(host.huge_pages)}};
  if (host.memory_limit_bytes != plan::kNoLimit)
    json["memory_limit_bytes"] = host.memory_limit_bytes;
  return json;
}

Json tensors_json(const Facts& facts) {
  Json list = Json::array();
  for (const BoundTensor& t : facts.binding.tensors)
    list.push_back({{"name", t.name},
                    {"role", name(t.role)},
                    {"layer", t.layer},
                    {"format", name(t.format)},
                    {"shape", t.shape},
                    {"layout", name(t.layout)},
                    {"packed_bytes", t.packed_bytes}});
  return list;
}

Json to_json(const Facts& facts, const plan::Host& host) {
  const model::ModelSpec& spec = facts.description.spec;
  Json formats = Json::object();
  for (const auto& [format, use] : formats_of(facts))
    formats[std::string(format)] = {{"tensors", use.tensors}, {"bytes", use.bytes}};
  Json json{{"model", facts.checkpoint->path().string()},
            {"kind", facts.checkpoint->kind() == checkpoint::Kind::kGguf ? "gguf" : "hugging_face"},
            {"file_bytes", facts.checkpoint->file_bytes()},
            {"family", spec.family},
            {"parameters", model::parameter_count(spec)},
            {"dim", spec.dim},
            {"vocab", spec.vocab},
            {"context", spec.context},
            {"tied_output", spec.tied_output},
            {"layers", folded_layers(spec)},
            {"rope", rope_text(spec.rope)},
            {"formats", formats},
            {"packed_bytes", facts.binding.bytes},
            {"kv_bytes_per_token", facts.kv_bytes_per_token},
            {"tokenizer", tokenizer_json(facts.text)},
            {"chat_template", facts.text.template_source.has_value()},
            {"unread_settings", facts.unread},
            {"warnings", facts.warnings},
            {"host", host_json(host)}};
  return json;
}

void print_fact(std::string_view what, std::string_view value) {
  const Style& s = out_style();
  print(fmt::format("  {}{:<15}{}{}\n", s.dim, what, s.reset, one_line(value)));
}

void print_text_facts(const engine::TextFiles& text) {
  if (!text.tokenizer) {
    print_fact("tokenizer", "none: " + text.why_no_tokenizer);
  } else {
    std::string line = fmt::format("{} tokens", grouped(text.tokenizer->vocab_size()));
    if (const auto cut = text.tokenizer->pre_tokenizer_name(); !cut.empty())
      line += fmt::format(", pre-tokenizer {}", cut);
    for (const char* key : {"bos_token", "eos_token"})
      if (text.variables.contains(key))
        line += fmt::format(", {:.3} {}", key, text.variables[key].get<std::string>());
    print_fact("tokenizer", line);
  }
  print_fact("chat template", text.template_source
                                  ? grouped(text.template_source->size()) + " characters"
                                  : "none: " + text.why_no_template);
}

void print_model(const Facts& facts) {
  const Style& s = out_style();
  const model::ModelSpec& spec = facts.description.spec;
  const bool gguf = facts.checkpoint->kind() == checkpoint::Kind::kGguf;
  print(fmt::format("{}{}{}  {}{}, {}{}\n", s.strong, facts.checkpoint->path().filename().string(),
                    s.reset, s.dim, gguf ? "GGUF" : "Hugging Face folder",
                    bytes_text(facts.checkpoint->file_bytes()), s.reset));
  print_fact("family", spec.family);
  print_fact("parameters", count_text(model::parameter_count(spec)));
  print_fact("dimensions",
             fmt::format("width {}, vocabulary {}, {} output", grouped(spec.dim),
                         grouped(spec.vocab), spec.tied_output ? "tied" : "separate"));
  for (const std::string& layer : folded_layers(spec)) print_fact("layers", layer);
  print_fact("positions", rope_text(spec.rope));
  print_fact("context", grouped(spec.context) + " tokens");
  for (const auto& [format, use] : formats_of(facts))
    print_fact("in " + std::string(format),
               fmt::format("{} in {} tensor{}", bytes_text(use.bytes), grouped(use.tensors),
                           use.tensors == 1 ? "" : "s"));
  print_fact(
      "in memory",
      fmt::format("{} packed, and {} of keys and values a token (f16), {} for {}",
                  bytes_text(facts.binding.bytes), bytes_text(facts.kv_bytes_per_token),
                  bytes_text(facts.kv_bytes_per_token * spec.context), grouped(spec.context)));
  print_text_facts(facts.text);
  std::string unread;
  for (const std::string& key : facts.unread) unread += (unread.empty() ? "" : ", ") + key;
  print_fact("nobody read", unread.empty() ? "no setting: all were understood" : unread);
  for (const std::string& warning : facts.warnings)
    print(fmt::format("  {}{:<15}{}{}\n", s.error, "warning", s.reset, one_line(warning)));
}

void print_host(const plan::Host& host) {
  const Style& s = out_style();
  std::string isa;
  for (const std::string& rung : host.isa) isa += (isa.empty() ? "" : " < ") + rung;
  print(fmt::format("\n{}{}{}\n", s.strong, one_line(host.cpu_name), s.reset));
  print_fact("cores", fmt::format("{}, {} hardware threads, best with {}", host.cores, host.threads,
                                  host.threads_best));
  print_fact("instructions", isa);
  print_fact("caches",
             fmt::format("L1 {} and L2 {} a core, L3 {}", bytes_text(host.cache_l1d_bytes),
                         bytes_text(host.cache_l2_bytes), bytes_text(host.cache_l3_bytes)));
  std::string memory = fmt::format("{}, {} free", bytes_text(host.memory_bytes),
                                   bytes_text(host.memory_available_bytes));
  if (host.memory_limit_bytes != plan::kNoLimit)
    memory += fmt::format(", limit {}", bytes_text(host.memory_limit_bytes));
  print_fact("memory", memory);
  print_fact("huge pages", huge_pages_text(host.huge_pages));
}

void print_tensors(const Facts& facts) {
  std::size_t wide = 4;
  for (const BoundTensor& t : facts.binding.tensors) wide = std::max(wide, t.name.size());
  const Style& s = out_style();
  print(fmt::format("{}{:<{}}  {:<18}{:<9}{:<18}{:<8}{:>10}{}\n", s.strong, "name", wide, "role",
                    "format", "shape", "layout", "packed", s.reset));
  for (const BoundTensor& t : facts.binding.tensors)
    print(fmt::format("{:<{}}  {:<18}{:<9}{:<18}{:<8}{:>10}\n", t.name, wide, name(t.role),
                      name(t.format), shape_text(t.shape), name(t.layout),
                      bytes_text(t.packed_bytes)));
}

// Which rung fills each slot when the ladder is climbed to each height: * fills it, + an earlier
// one does.
Result<void> print_kernels(bool json) {
  TRY(const std::vector<KernelRow> rows, kernel_table());
  if (json) {
    Json list = Json::array();
    for (const KernelRow& row : rows)
      list.push_back(
          {{"op", row.op}, {"layout", row.layout}, {"rungs", row.rungs}, {"used", row.used}});
    print(list.dump(2) + "\n");
    return {};
  }
  const Style& s = out_style();
  print(fmt::format("{}{:<12}{:<8}", s.strong, "op", "layout"));
  for (u32 i = 0; i < kernels::kIsaCount; ++i)
    print(fmt::format("{:<13}", kernels::name(kernels::Isa(i))));
  print(fmt::format("used{}\n", s.reset));
  for (const KernelRow& row : rows) {
    print(fmt::format("{:<12}{:<8}", row.op, row.layout));
    for (const std::string& cell : row.rungs) print(fmt::format("{:<13}", cell));
    print(fmt::format("{}\n", row.used));
  }
  print(
      fmt::format("{}own: this rung has its own; below: that of a lower one; no cpu: this machine "
                  "lacks it{}\n",
                  s.dim, s.reset));
  return {};
}

Result<void> inspect(const Flags& flags) {
  if (flags.kernels) return print_kernels(flags.json);
  TRY(const auto path, find_model(flags.model));
  auto facts = gather(path);
  if (!facts) return at(path.string(), facts.error());
  if (flags.tensors && !flags.json) {
    print_tensors(*facts);
    return {};
  }
  TRY(const plan::Host host, plan::probe_host());
  if (flags.json) {
    Json json = to_json(*facts, host);
    if (flags.tensors) json["tensors"] = tensors_json(*facts);
    print(json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    return {};
  }
  print_model(*facts);
  print_host(host);
  return {};
}

}  // namespace

Command add_inspect(CLI::App& program) {
  CLI::App* command = program.add_subcommand("inspect", "What is in a model, and on this machine");
  auto flags = std::make_shared<Flags>();
  command->add_option("MODEL", flags->model,
                      std::string(kModelHelp) + "; without it the default model");
  command->add_flag("--tensors", flags->tensors,
                    "Every tensor: role, format, shape, packed layout");
  command->add_flag("--kernels", flags->kernels, "Which instruction set does which operation");
  command->add_flag("--json", flags->json, "Print it as JSON");
  set_examples(*command,
               "  orrery inspect SmolLM2\n"
               "  orrery inspect model.gguf --tensors\n"
               "  orrery inspect --kernels\n");
  return {command, [flags] { return inspect(*flags); }};
}

}  // namespace orrery::apps
