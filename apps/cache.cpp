// orrery cache: the packed weights that are kept on disk for quick starts. It parses and prints;
// the engine's Packs and the model room's pack files do the work.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "apps/command.h"
#include "apps/model_path.h"
#include "apps/options.h"
#include "apps/terminal.h"
#include "engine/packs.h"

namespace orrery::apps {
namespace {

namespace fs = std::filesystem;
using engine::PackEntry;

struct Flags {
  EngineFlags engine;  // of `add`
  std::string name;    // of `clear`
};

std::string since(fs::file_time_type then) {
  const auto hours =
      std::chrono::duration_cast<std::chrono::hours>(fs::file_time_type::clock::now() - then);
  if (hours.count() < 1) return "within the hour";
  if (hours.count() < 48) return fmt::format("{} h ago", hours.count());
  return fmt::format("{} days ago", hours.count() / 24);
}

// What a pack is of; damaged and foreign files are listed, too, so that they can be cleared.
std::string model_of(const PackEntry& pack) {
  auto name = model::pack_model(pack.path);
  return name ? one_line(*name) : "(cannot be used: " + one_line(name.error().message) + ")";
}

Result<void> list() {
  const fs::path folder = packs_folder();
  const std::vector<PackEntry> packs = engine::list_packs(folder);
  const Style& s = out_style();
  if (packs.empty()) {
    print(fmt::format("No packs in {}. Large models leave one there after their first start.\n",
                      folder.string()));
    return {};
  }
  u64 total = 0;
  print(fmt::format("{}{:>10}  {:<16}  {}{}\n", s.strong, "size", "last used", "model", s.reset));
  for (const PackEntry& pack : packs) {
    total += pack.bytes;
    print(fmt::format("{:>10}  {:<16}  {}\n", bytes_text(pack.bytes), since(pack.used),
                      model_of(pack)));
  }
  print(fmt::format("{}{:>10}  in {}{}\n", s.dim, bytes_text(total), folder.string(), s.reset));
  return {};
}

Result<void> clear(const Flags& flags) {
  u32 removed = 0;
  u64 bytes = 0;
  for (const PackEntry& pack : engine::list_packs(packs_folder())) {
    if (!flags.name.empty() && model_of(pack).find(flags.name) == std::string::npos) continue;
    std::error_code code;
    if (!fs::remove(pack.path, code)) return fail("{}: {}", pack.path.string(), code.message());
    ++removed;
    bytes += pack.bytes;
  }
  if (!removed && !flags.name.empty()) return fail("no pack is of a model named {}", flags.name);
  print(
      fmt::format("{} pack{} removed, {}\n", removed, removed == 1 ? "" : "s", bytes_text(bytes)));
  return {};
}

Result<void> verify() {
  ThreadTeam team(std::max(1u, std::thread::hardware_concurrency()));
  u32 bad = 0;
  const std::vector<PackEntry> packs = engine::list_packs(packs_folder());
  for (const PackEntry& pack : packs) {
    const auto checked = model::verify_pack(pack.path, parallel_on(team));
    bad += !checked;
    print(fmt::format("{:<12}{}\n", checked ? "whole" : "damaged", model_of(pack)));
  }
  if (bad)
    return fail(
        "{} of {} packs are damaged; `orrery cache clear` removes them, and the next "
        "start makes new ones",
        bad, packs.size());
  print(fmt::format("{} pack{}, all whole\n", packs.size(), packs.size() == 1 ? "" : "s"));
  return {};
}

Result<void> add(Flags& flags) {
  flags.engine.packs = "always";
  TRY(const auto engine, flags.engine.open(flags.engine.options()));
  CHECK_OK(engine->packs().finish());
  print(fmt::format("{} {}\n", engine->checkpoint().path().filename().string(),
                    engine->from_pack() ? "has a pack already" : "is packed"));
  return {};
}

}  // namespace

Command add_cache(CLI::App& program) {
  CLI::App* command = program.add_subcommand(
      "cache",
      "Packed weights on disk, which make the next start of a large model quick.\n\n"
      "A pack is as large as the model. The folder takes at most a quarter of the free disk; what\n"
      "was not used for longest goes first. A changed or damaged one is noticed and made anew.");
  auto flags = std::make_shared<Flags>();
  CLI::App* clearing = command->add_subcommand("clear", "Remove packs");
  clearing->add_option("NAME", flags->name, "Only those of models whose names hold this");
  CLI::App* verifying = command->add_subcommand("verify", "Read all packs and check their sums");
  CLI::App* adding = command->add_subcommand("add", "Make a model's pack now");
  flags->engine.add_to(*adding, true);
  command->require_subcommand(0, 1);
  set_examples(*command,
               "  orrery cache                     what is there\n"
               "  orrery cache add model.gguf      make the pack before it is needed\n"
               "  orrery cache verify              read everything, check everything\n"
               "  orrery cache clear               remove all\n"
               "  orrery cache clear Q4_K_M        remove some\n"
               "  orrery run model.gguf --packs off    neither use nor make one\n");
  return {command, [=] {
            if (clearing->parsed()) return clear(*flags);
            if (verifying->parsed()) return verify();
            if (adding->parsed()) return add(*flags);
            return list();
          }};
}

}  // namespace orrery::apps
