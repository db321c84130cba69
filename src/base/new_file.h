// NewFile: a file that is written beside its place and moved there when it is whole, so that nobody
// ever finds half of it. Gone again unless it is kept. Readable by its owner only.
#pragma once

#include <filesystem>

#include "base/error.h"
#include "base/types.h"

namespace orrery {

class NewFile {
 public:
  // Beside `place`, under a name that no other program's file has.
  explicit NewFile(std::filesystem::path place);
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile();

  [[nodiscard]] Result<void> opened() const;
  [[nodiscard]] Result<void> write(Bytes bytes, u64 offset) const;
  // Takes the place of what was there.
  [[nodiscard]] Result<void> keep();

 private:
  std::filesystem::path place_, part_;
  int fd_ = -1;
  bool kept_ = false;
};

// Removes what a program that was killed left half written in this folder, an hour ago or longer.
void remove_abandoned(const std::filesystem::path& folder);

}  // namespace orrery
