#include "engine/lint.h"

#include "text/chat_template.h"

namespace orrery::engine {
namespace {

using text::Json;
using text::Special;

// Words that no template has of its own.
constexpr std::string_view kUser = "orrery-user", kReply = "orrery-reply",
                           kSystem = "orrery-system", kTool = "orrery_tool";

Json plain_chat(const TextFiles& text) {
  Json variables = text.variables;
  variables["messages"] = Json::array({{{"role", "user"}, {"content", kUser}}});
  variables["tools"] = nullptr;
  variables["documents"] = nullptr;
  variables["add_generation_prompt"] = true;
  return variables;
}

Json one_tool() {
  const Json nothing{{"type", "object"}, {"properties", Json::object()}};
  return Json::array(
      {{{"type", "function"},
        {"function", {{"name", kTool}, {"description", "A tool."}, {"parameters", nothing}}}}});
}

bool begins_twice(const text::Tokenizer& tokenizer, const std::string& rendered) {
  if (!tokenizer.bos()) return false;
  const auto ids = tokenizer.encode(rendered, Special::kParse, true);
  return ids.size() > 1 && ids[0] == *tokenizer.bos() && ids[1] == ids[0];
}

// What stands behind the user's message, up to `end` where that comes, without white space around.
std::string behind_user(std::string_view rendered, std::string_view end) {
  const std::size_t at = rendered.find(kUser);
  if (at == std::string_view::npos) return "";
  std::string_view rest = rendered.substr(at + kUser.size());
  rest = rest.substr(0, rest.find(end));
  const auto first = rest.find_first_not_of(" \n"), last = rest.find_last_not_of(" \n");
  return first == std::string_view::npos ? "" : std::string(rest.substr(first, last + 1 - first));
}

// Nothing tells the model that it is its turn: the mark that stands before its earlier replies does
// not stand at the end, asked for or not. (Some templates always write it, some have none.)
bool lacks_generation_prompt(const text::ChatTemplate& parsed, Json variables,
                             const std::string& rendered) {
  variables["add_generation_prompt"] = false;
  const auto without = parsed.render(variables);
  variables["messages"].push_back({{"role", "assistant"}, {"content", kReply}});
  const auto replied = parsed.render(variables);
  if (!without || !replied || *without != rendered) return false;
  return behind_user(*replied, kReply) != behind_user(rendered, kReply);
}

void lint_tokenizer(const model::ModelSpec& spec, const text::Tokenizer& tokenizer,
                    std::vector<std::string>& found) {
  if (tokenizer.vocab_size() > spec.vocab)
    found.push_back(fmt::format(
        "the tokenizer has {} tokens and the model only {} rows for them: some texts will fail",
        tokenizer.vocab_size(), spec.vocab));
  else if (tokenizer.vocab_size() < spec.vocab - spec.vocab / 8)
    found.push_back(
        fmt::format("the tokenizer has only {} of the model's {} tokens: it may be another model's",
                    tokenizer.vocab_size(), spec.vocab));
  if (!tokenizer.eos() && spec.stop_tokens.empty())
    found.push_back("no token ends a reply: it goes on until --max-tokens or a --stop text");
}

}  // namespace

std::vector<std::string> lint_chat(const TextFiles& text) {
  std::vector<std::string> found;
  if (!text.template_source) return found;
  const auto parsed = text::ChatTemplate::parse(*text.template_source);
  if (!parsed) {
    found.push_back(fmt::format("the chat template is broken: {}", parsed.error().message));
    return found;
  }
  Json variables = plain_chat(text);
  const auto rendered = parsed->render(variables);
  if (!rendered) {
    found.push_back(
        fmt::format("the chat template fails for a plain chat: {}", rendered.error().message));
    return found;
  }
  if (text.tokenizer && begins_twice(*text.tokenizer, *rendered))
    found.push_back(
        "both template and tokenizer begin with BOS: encode chats without added tokens");
  if (lacks_generation_prompt(*parsed, variables, *rendered))
    found.push_back(
        "the template has no generation prompt: nothing tells the model that it is its turn");
  variables["tools"] = one_tool();
  const auto with_tool = parsed->render(variables);
  if (with_tool && with_tool->find(kTool) == std::string::npos)
    found.push_back("the template ignores tools");
  variables["tools"] = nullptr;
  variables["messages"].insert(variables["messages"].begin(),
                               Json{{"role", "system"}, {"content", kSystem}});
  const auto with_system = parsed->render(variables);
  if (!with_system)
    found.push_back("the template takes no system message");
  else if (with_system->find(kSystem) == std::string::npos)
    found.push_back("the template ignores the system message");
  return found;
}

std::vector<std::string> lint(const model::Description& description, const TextFiles& text) {
  std::vector<std::string> found = description.remarks;
  if (text.tokenizer)
    lint_tokenizer(description.spec, *text.tokenizer, found);
  else
    found.push_back("it takes and gives only ids: " + text.why_no_tokenizer);
  for (std::string& remark : lint_chat(text)) found.push_back(std::move(remark));
  return found;
}

}  // namespace orrery::engine
