#include "checkpoint/config_only.h"

namespace orrery::checkpoint {
namespace {

class ConfigOnly final : public Checkpoint {
 public:
  ConfigOnly(Config config, std::filesystem::path path)
      : config_(std::move(config)), path_(std::move(path)) {}

  [[nodiscard]] Kind kind() const override { return Kind::kHuggingFace; }
  [[nodiscard]] const std::filesystem::path& path() const override { return path_; }
  [[nodiscard]] const Config& config() const override { return config_; }
  [[nodiscard]] Result<std::string> text_file(std::string_view name) const override {
    return fail("{} has no {}", path_.string(), name);
  }
  [[nodiscard]] const std::vector<TensorView>& tensors() const override { return tensors_; }
  [[nodiscard]] const TensorView* find(std::string_view) const override { return nullptr; }
  void drop(const TensorView&) const override {}
  void drop(const TensorView&, Bytes) const override {}
  [[nodiscard]] u64 file_bytes() const override { return 0; }

 private:
  Config config_;
  std::filesystem::path path_;
  std::vector<TensorView> tensors_;
};

}  // namespace

Result<std::unique_ptr<Checkpoint>> open_config(std::string_view json, std::filesystem::path path) {
  TRY(Config config, parse_config(json));
  return std::make_unique<ConfigOnly>(std::move(config), std::move(path));
}

}  // namespace orrery::checkpoint
