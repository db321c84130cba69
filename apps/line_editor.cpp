#include "apps/line_editor.h"

#include <fcntl.h>
#include <unistd.h>

#include <clocale>
#include <cstdio>

#include "apps/terminal.h"

namespace orrery::apps {
namespace {

constexpr int kHistoryLines = 1000;

// libedit wants the prompt's escapes between marks, so that it does not count them as columns.
char* prompt_of(EditLine* editor) {
  bool* continuing = nullptr;
  el_get(editor, EL_CLIENTDATA, &continuing);
  static std::string first, next;
  const Style& s = out_style();
  const auto marked = [&](std::string_view text) {
    return s.colours() ? "\1" + std::string(s.prompt) + "\1" + std::string(text) + "\1" +
                             std::string(s.reset) + "\1 "
                       : std::string(text) + " ";
  };
  // libedit loses escapes that nothing follows: hence the space at the end.
  first = marked("❯");
  next = marked("…");
  return continuing && *continuing ? next.data() : first.data();
}

unsigned char clear_line(EditLine* editor, int) {
  const LineInfo* line = el_line(editor);
  el_cursor(editor, int(line->lastchar - line->cursor));
  el_deletestr(editor, int(line->lastchar - line->buffer));
  return CC_REFRESH;
}

}  // namespace

LineEditor::LineEditor(std::filesystem::path history_file)
    : history_file_(std::move(history_file)) {
  editor_ = el_init("orrery", stdin, stdout, stderr);
  history_ = history_init();
  HistEvent event;
  history(history_, &event, H_SETSIZE, kHistoryLines);
  history(history_, &event, H_SETUNIQUE, 1);
  std::error_code ignored;
  std::filesystem::create_directories(history_file_.parent_path(), ignored);
  history(history_, &event, H_LOAD, history_file_.c_str());
  el_set(editor_, EL_HIST, history, history_);
  el_set(editor_, EL_EDITOR, "emacs");
  el_set(editor_, EL_CLIENTDATA, &continuing_);
  el_set(editor_, EL_PROMPT_ESC, prompt_of, '\1');
  // While a line is edited, Ctrl-C is a key like others; signals reach the reply only.
  el_set(editor_, EL_SETTY, "-d", "-isig", nullptr);
  el_set(editor_, EL_ADDFN, "orrery-clear-line", "Empty the line", clear_line);
  el_set(editor_, EL_BIND, "^C", "orrery-clear-line", nullptr);
  // A Ctrl-D that was typed before the prompt (while a reply ran) comes as a zero byte.
  el_set(editor_, EL_BIND, "^@", "em-delete-or-list", nullptr);
  el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
}

LineEditor::~LineEditor() {
  history_end(history_);
  el_end(editor_);
}

void LineEditor::remember(const std::string& line) {
  if (line.find_first_not_of(" \t") == std::string::npos) return;
  HistEvent event;
  history(history_, &event, H_ENTER, line.c_str());
  // What people ask a model is private: the file is made before libedit writes into it.
  const int file = open(history_file_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return;
  close(file);
  history(history_, &event, H_SAVE, history_file_.c_str());
}

std::optional<std::string> LineEditor::read_line() {
  int length = 0;
  const char* line = el_gets(editor_, &length);
  if (!line || length <= 0) return std::nullopt;
  std::string text(line, std::size_t(length));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  return text;
}

std::optional<std::string> LineEditor::read() {
  std::string all;
  continuing_ = false;
  for (;;) {
    const auto line = read_line();
    if (!line) return std::nullopt;
    all += *line;
    if (!all.ends_with('\\')) break;
    all.back() = '\n';
    continuing_ = true;
  }
  remember(all);
  return all;
}

}  // namespace orrery::apps
