#include "model/families/published.h"

#include <algorithm>

#include "checkpoint/config_only.h"
#include "model/families/families.h"

namespace orrery::model {
namespace {

constexpr Published kPublished[] = {
#define ORRERY_PUBLISHED(name, source, date, config) {name, source, date, config},
#include "model/families/published.def"
#undef ORRERY_PUBLISHED
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c + ('a' - 'A')) : c; }

}  // namespace

std::span<const Published> published() { return kPublished; }

const Published* find_published(std::string_view name) {
  for (const Published& model : kPublished)
    if (std::equal(name.begin(), name.end(), model.name.begin(), model.name.end(),
                   [](char a, char b) { return lower(a) == lower(b); }))
      return &model;
  return nullptr;
}

Result<ModelSpec> describe(const Published& model) {
  TRY(const auto checkpoint, checkpoint::open_config(model.config, std::string(model.name)));
  TRY(Description description, describe(*checkpoint));
  return std::move(description.spec);
}

}  // namespace orrery::model
