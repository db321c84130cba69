// orrery families: what the program can read, by family, out of the tables that it reads by.
#include "model/families/families.h"

#include <fmt/format.h>

#include <algorithm>

#include "apps/command.h"
#include "apps/options.h"
#include "apps/spec_text.h"
#include "apps/terminal.h"
#include "model/families/published.h"

namespace orrery::apps {
namespace {

// All rows of the table of families that share a name.
struct Row {
  std::string family, architectures, gguf;
  std::string example;              // a published model
  std::vector<std::string> layers;  // of the example
};

void append(std::string& list, std::string_view one) {
  if (!one.empty()) list += (list.empty() ? "" : ", ") + std::string(one);
}

std::vector<Row> rows() {
  std::vector<Row> rows;
  for (const model::Family& family : model::families()) {
    auto at = std::find_if(rows.begin(), rows.end(),
                           [&](const Row& row) { return row.family == family.name; });
    if (at == rows.end())
      at = rows.insert(rows.end(), Row{std::string(family.name), {}, {}, {}, {}});
    append(at->architectures, family.architecture);
    append(at->gguf, family.gguf);
  }
  for (const model::Published& published : model::published()) {
    const auto spec = model::describe(published);
    if (!spec) continue;
    for (Row& row : rows) {
      if (row.family != spec->family || !row.example.empty()) continue;
      row.example = published.name;
      row.layers = folded_layers(*spec);
    }
  }
  return rows;
}

void print_markdown() {
  print("| family | in config.json | in GGUF | for example |\n|---|---|---|---|\n");
  for (const Row& row : rows())
    print(fmt::format("| {} | {} | {} | {} |\n", row.family, row.architectures, row.gguf,
                      row.example));
}

void print_page() {
  print(
      "# Families\n\n"
      "Printed by `orrery families --page`. A family is a function from a checkpoint's settings to "
      "a\n"
      "`ModelSpec` (`src/model/families`); everything else reads the spec.\n\n");
  print_markdown();
  print("\n## The layers of the examples\n");
  for (const Row& row : rows()) {
    if (row.example.empty()) continue;
    print(fmt::format("\n**{}** ({})\n\n", row.example, row.family));
    for (const std::string& layer : row.layers) print(fmt::format("* {}\n", layer));
  }
}

void print_table() {
  const Style& s = out_style();
  print(fmt::format("{}{:<15}{:<28}{:<16}{}{}\n", s.strong, "family", "in config.json", "in GGUF",
                    "for example", s.reset));
  for (const Row& row : rows())
    print(fmt::format("{:<15}{:<28}{:<16}{}\n", row.family, row.architectures, row.gguf,
                      row.example));
}

struct Flags {
  bool markdown = false, page = false;
};

}  // namespace

Command add_families(CLI::App& program) {
  CLI::App* command = program.add_subcommand("families", "The model families that can be read");
  auto flags = std::make_shared<Flags>();
  command->add_flag("--markdown", flags->markdown, "The table as Markdown, for a README");
  command->add_flag("--page", flags->page,
                    "docs/families.md: the table and the layers of examples");
  set_examples(*command,
               "  orrery families\n"
               "  orrery families --page > docs/families.md\n");
  return {command, [flags]() -> Result<void> {
            if (flags->page)
              print_page();
            else if (flags->markdown)
              print_markdown();
            else
              print_table();
            return {};
          }};
}

}  // namespace orrery::apps
