// LineEditor: one line typed by a person, with editing, and a history that lasts over sessions.
//
// libedit does the work. Ctrl-C empties the line, Ctrl-D on an empty line ends, a line that ends
// with a backslash goes on in the next.
#pragma once

#include <histedit.h>

#include <filesystem>
#include <optional>
#include <string>

namespace orrery::apps {

class LineEditor {
 public:
  explicit LineEditor(std::filesystem::path history_file);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Nothing at the end (Ctrl-D).
  [[nodiscard]] std::optional<std::string> read();

 private:
  [[nodiscard]] std::optional<std::string> read_line();
  void remember(const std::string& line);

  std::filesystem::path history_file_;
  EditLine* editor_ = nullptr;
  History* history_ = nullptr;
  bool continuing_ = false;
};

}  // namespace orrery::apps
