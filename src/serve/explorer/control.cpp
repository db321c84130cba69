// The Explorer's control: what its requests say, held against tables, and what becomes of it.
#include <algorithm>
#include <random>

#include "engine/text_loading.h"
#include "serve/chat_messages.h"
#include "serve/explorer/catalog.h"
#include "serve/explorer/control_tables.h"
#include "serve/explorer/explorer.h"
#include "serve/explorer/page.h"
#include "serve/explorer/query.h"
#include "text/chat_encoding.h"

namespace orrery::serve {
namespace {

std::string fresh_id() {
  std::random_device random;
  std::string id;
  for (u32 i = 0; i < 4; ++i) id += fmt::format("{:08x}", random());
  return id;
}

Json sampler_json(const forward::SamplerSettings& s) {
  return {{"temperature", s.temperature},
          {"top_k", s.top_k},
          {"top_p", s.top_p},
          {"min_p", s.min_p},
          {"typical_p", s.typical_p},
          {"repetition_penalty", s.repetition_penalty},
          {"presence_penalty", s.presence_penalty},
          {"frequency_penalty", s.frequency_penalty},
          {"penalty_window", s.penalty_window}};
}

Json chain_json(const forward::SamplerSettings& settings) {
  Json chain = Json::array();
  if (const auto sampler = forward::Sampler::make(settings, 1))
    for (const forward::SamplerStep& step : sampler->chain())
      chain.push_back({{"stage", step.name}, {"value", step.value}, {"active", step.active}});
  return chain;
}

}  // namespace

// What the request changes of `settings`; whether the sampler takes it is asked at once.
Checked<forward::SamplerSettings> read_sampler(const Json& body,
                                               forward::SamplerSettings settings) {
  const FieldReader fields(body);
  if (const Json* sampler = fields.find("sampler")) {
    const FieldReader s(*sampler);
    const auto number = [&](std::string_view name, f32& to) {
      if (const auto value = s.number(name)) to = f32(*value);
    };
    const auto integer = [&](std::string_view name, u32& to) {
      if (const auto value = s.integer(name)) to = u32(*value);
    };
    number("temperature", settings.temperature);
    number("top_p", settings.top_p);
    number("min_p", settings.min_p);
    number("typical_p", settings.typical_p);
    number("repetition_penalty", settings.repetition_penalty);
    number("presence_penalty", settings.presence_penalty);
    number("frequency_penalty", settings.frequency_penalty);
    integer("top_k", settings.top_k);
    integer("penalty_window", settings.penalty_window);
  }
  if (const auto seed = fields.integer("seed")) settings.seed = u64(*seed);
  const auto made = forward::Sampler::make(settings, 1);
  if (!made) return refuse(400, made.error().message, "sampler");
  return settings;
}

namespace {

// Whether a run of it is going on.
bool is_busy(Session& session) {
  const std::lock_guard lock(session.mutex);
  return std::any_of(session.run_status.begin(), session.run_status.end(), [](const auto& one) {
    const Json& state = one.second["state"];
    return state != "paused" && state != "ended";
  });
}

// Of the sessions that may give way the one that has been alone for longest, or the end.
template <typename Sessions>
typename Sessions::iterator longest_unused(Sessions& sessions, f64 now) {
  auto longest = sessions.end();
  for (auto it = sessions.begin(); it != sessions.end(); ++it) {
    Session& session = *it->second;
    if (session.streams > 0 || now - session.left_at < kUnusedSeconds || is_busy(session)) continue;
    if (longest == sessions.end() || session.left_at < longest->second->left_at) longest = it;
  }
  return longest;
}

Json run_json(u32 number, const engine::RunRequest& request, u32 context) {
  return {{"run", number},
          {"seed", request.sampler.seed},
          {"sampler", sampler_json(request.sampler)},
          {"chain", chain_json(request.sampler)},
          {"tokens_max", request.tokens_max ? Json(request.tokens_max) : Json(nullptr)},
          {"context", context}};
}

}  // namespace

Checked<Explorer::SessionPointer> Explorer::find_session(std::string_view id) {
  const std::lock_guard lock(mutex_);
  const auto found = sessions_.find(id);
  if (found != sessions_.end()) return found->second;
  return refuse(404, "there is no session of this id", "POST /explorer/session makes one",
                "no_such_session");
}

Json Explorer::model_json() const {
  return {{"id", host_->id}, {"hash", catalog_["model"]["hash"]}};
}

Json Explorer::subscription_json(Session& session) const {
  const std::lock_guard lock(session.mutex);
  Json names = Json::array(), heads = Json::array();
  for (const ChannelInfo& info : channels())
    if ((session.on & bit(info.channel)) != 0) names.push_back(info.name);
  for (const engine::HeadRef& head : session.pinned)
    heads.push_back({{"layer", head.layer}, {"head", head.head}});
  return {{"session", session.id}, {"channels", names}, {"heads", heads}, {"bins", session.bins}};
}

Checked<void> Explorer::make_session(const Answering& exchange) {
  const auto session = std::make_shared<Session>(bell_);
  session->id = fresh_id();
  for (const ChannelInfo& info : channels())
    if (info.by_default) session->on |= bit(info.channel);
  const f64 now =
      std::chrono::duration<f64>(std::chrono::steady_clock::now().time_since_epoch()).count();
  session->left_at = now;
  {
    const std::lock_guard lock(mutex_);
    while (sessions_.size() >= kSessionsMax) {
      const auto unused = longest_unused(sessions_, now);
      if (unused == sessions_.end()) break;
      // Its runs belong to the engine's thread, so they end there.
      commands_.push_back([old = unused->second] { old->runs.clear(); });
      sessions_.erase(unused);
    }
    if (sessions_.size() >= kSessionsMax)
      return refuse(429, fmt::format("there are {} sessions", kSessionsMax),
                    "close a page that is not needed", "too_many");
    sessions_.emplace(session->id, session);
  }
  Json answer = subscription_json(*session);
  answer["protocol"] = 1;
  answer["ring_bytes"] = kRingBytes;
  answer["model"] = model_json();
  respond(exchange, answer);
  command([this, session] { update_snapshot(*session); });
  return {};
}

Checked<void> Explorer::subscribe(const Json& body, const SessionPointer& session,
                                  const Answering& exchange) {
  const FieldReader fields(body);
  u32 on = 0;
  std::vector<engine::HeadRef> pinned;
  if (const Json* names = fields.find("channels"))
    for (const Json& name : *names) {
      const ChannelInfo* info = find_channel(name.get<std::string>());
      if (!info)
        return refuse(
            400, fmt::format("there is no channel '{}'", name.get<std::string>().substr(0, 60)),
            "GET /explorer/catalog lists them", "unknown_channel");
      on |= bit(info->channel);
    }
  for (const ChannelInfo& info : channels())
    if (info.always) on |= bit(info.channel);
  const auto& layers = engine_.model().spec.layers;
  if (const Json* heads = fields.find("heads"))
    for (const Json& head : *heads) {
      const engine::HeadRef ref{u32(head["layer"].get<i64>()), u32(head["head"].get<i64>())};
      if (ref.layer >= layers.size() || ref.head >= forward::row_heads(layers[ref.layer]))
        return refuse(400, fmt::format("there is no head {} in layer {}", ref.head, ref.layer),
                      "heads", "not_applicable");
      pinned.push_back(ref);
    }
  {
    const std::lock_guard lock(session->mutex);
    if (fields.find("channels")) session->on = on;
    if (fields.find("heads")) session->pinned = pinned;
    if (const auto bins = fields.integer("bins")) session->bins = u32(*bins);
  }
  respond(exchange, subscription_json(*session));
  // What is wanted now can be seen of runs that rest.
  command([this, session] {
    for (auto& [number, run] : session->runs)
      if (run.run->state() == engine::RunState::kPaused ||
          run.run->state() == engine::RunState::kEnded)
        if (number == session->last_run) look(*session, number, run);
  });
  return {};
}

Checked<Json> Explorer::prompt_json(const std::vector<text::TokenId>& ids,
                                    const Json* messages) const {
  const text::Tokenizer* tokenizer = engine_.tokenizer();
  std::vector<text::Segment> segments;
  std::vector<u32> origins;
  if (messages && tokenizer && engine_.chat_template()) {
    text::Json variables = engine::template_variables(*tokenizer);
    variables["messages"] = *messages;
    variables["tools"] = nullptr;
    variables["documents"] = nullptr;
    variables["add_generation_prompt"] = true;
    if (auto rendered = engine_.chat_template()->render_segments(variables)) {
      segments = std::move(*rendered);
      origins = text::token_segments(*tokenizer, segments, ids);
    }
  }
  Json tokens = Json::array();
  for (u64 i = 0; i < ids.size(); ++i) {
    Json token = {{"id", ids[i]}};
    if (tokenizer) {
      const bool special = tokenizer->is_special(ids[i]);
      const std::string bytes =
          special ? std::string(tokenizer->token_name(ids[i])) : tokenizer->token_bytes(ids[i]);
      token["text"] = bytes;
      token["bytes"] = std::vector<u8>(bytes.begin(), bytes.end());
      token["special"] = special;
    }
    token["origin"] = messages ? "message" : "prompt";
    if (i < origins.size() && origins[i] < segments.size()) {
      const text::Segment& segment = segments[origins[i]];
      token["origin"] = segment.from_content ? "message" : "template";
      if (segment.message >= 0) token["message"] = segment.message;
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

Checked<void> Explorer::run(const Json& body, const SessionPointer& session,
                            const Answering& exchange) {
  const FieldReader fields(body);
  const Json *messages = fields.find("messages"), *prompt = fields.find("prompt"),
             *tokens = fields.find("tokens");
  if ((messages ? 1 : 0) + (prompt ? 1 : 0) + (tokens ? 1 : 0) != 1)
    return refuse(400, "exactly one of 'messages', 'prompt' and 'tokens' is needed");
  Ask ask;
  Json plain;
  if (messages) {
    ASK(plain, plain_messages(*messages));
    ASK_OK(set_chat(*host_, *messages, Json::object(), ask));
  } else if (prompt) {
    ASK(const text::Tokenizer* tokenizer, host_->tokenizer());
    const auto special = fields.boolean("special") ? text::Special::kParse : text::Special::kText;
    ask.prompts.push_back(tokenizer->encode(prompt->get<std::string>(), special, true));
  } else {
    std::vector<text::TokenId> ids;
    for (const Json& id : *tokens) {
      const f64 number = id.get<f64>();
      ids.push_back(number >= 0 && number < 2147483647 ? text::TokenId(number) : -1);
    }
    ask.prompts.push_back(std::move(ids));
  }
  const auto length = fields.integer("tokens_max");
  ask.tokens_max = length ? std::optional(u32(*length)) : std::nullopt;
  ASK_OK(check_fit(*host_, ask));
  engine::RunRequest request{.prompt = ask.prompts[0],
                             .tokens_max = length ? u32(*length) : 0,
                             .ignore_stop_tokens = fields.boolean("ignore_eos"),
                             .prompt_logprobs = fields.boolean("prompt_logprobs"),
                             .paused = fields.boolean("paused")};
  forward::SamplerSettings fresh;
  std::random_device random;
  fresh.seed = (u64(random()) << 32 | random()) & kSeedMask;
  ASK(request.sampler, read_sampler(body, fresh));
  ASK(request.stops, read_stops(fields.find("stop")));
  ASK(Json described, prompt_json(request.prompt, messages ? &plain : nullptr));
  ask_engine(exchange,
             [this, session, exchange, request = std::move(request),
              described = std::move(described)]() mutable -> Checked<void> {
               ASK(const u32 number, add_run(*session, request, sampler_json(request.sampler)));
               Json answer = run_json(number, request, engine_.context());
               answer["prompt"] = std::move(described);
               respond(exchange, answer);
               publish(*session, number, session->runs.at(number));
               return {};
             });
  return {};
}

Checked<void> Explorer::move(std::string_view verb, const Json& body, const SessionPointer& session,
                             const Answering& exchange) {
  ask_engine(exchange, [this, session, exchange, body, verb]() -> Checked<void> {
    const FieldReader fields(body);
    ASK(const u32 number, number_of(*session, body));
    SessionRun& run = session->runs.at(number);
    engine::WatchedRun& r = *run.run;
    const auto wrong = [&](std::string_view what) {
      return refuse(409,
                    fmt::format("run {} is {}, and only one that is {} can {}", number,
                                name(r.state()), what, verb),
                    "", "wrong_state");
    };
    const bool ended = r.state() == engine::RunState::kEnded;
    if (verb == "pause" && ended) return wrong("going on");
    if (verb == "step" && r.state() != engine::RunState::kPaused) return wrong("paused");
    if (verb == "resume" && ended && r.tokens().size() >= engine_.context())
      return refuse(400, "the context is full", "", "does_not_fit");
    if ((verb == "resume" || verb == "step") && !r.in_cache()) ASK_OK(make_room());
    if (verb == "pause") r.pause();
    if (verb == "stop") r.stop();
    if (verb == "step") r.step(u32(fields.integer("count").value_or(1)));
    if (verb == "resume") {
      const auto length = fields.integer("tokens_max");
      const bool spent = r.request().tokens_max && r.reply_count() >= r.request().tokens_max;
      if (length)
        r.resume(u32(*length));
      else
        r.resume(spent ? std::optional(0u) : std::nullopt);
    }
    publish(*session, number, run);
    respond(exchange, {{"run", number}, {"state", name(r.state())}, {"length", r.tokens().size()}});
    return {};
  });
  return {};
}

Checked<void> Explorer::branch(const Json& body, const SessionPointer& session,
                               const Answering& exchange) {
  ask_engine(exchange, [this, session, exchange, body]() -> Checked<void> {
    const FieldReader fields(body);
    ASK(const u32 parent_number, number_of(*session, body));
    const engine::WatchedRun& parent = *session->runs.at(parent_number).run;
    const u32 position = u32(*fields.integer("position"));
    const i64 token = *fields.integer("token");
    if (position > parent.tokens().size())
      return refuse(400, fmt::format("run {} has {} tokens", parent_number, parent.tokens().size()),
                    "position");
    if (position >= engine_.context())
      return refuse(400, "the context is full there", "position", "does_not_fit");
    if (token >= i64(engine_.model().spec.vocab))
      return refuse(400,
                    fmt::format("token id {} is outside the vocabulary of {}", token,
                                engine_.model().spec.vocab),
                    "token");
    engine::RunRequest request = parent.request();
    ASK(request.sampler, read_sampler(body, request.sampler));
    request.prompt.assign(parent.tokens().begin(), parent.tokens().begin() + position);
    request.prompt.push_back(text::TokenId(token));
    request.paused = fields.boolean("paused");
    request.prompt_logprobs = false;
    if (const auto length = fields.integer("tokens_max")) request.tokens_max = u32(*length);
    ASK(const u32 number, add_run(*session, request, sampler_json(request.sampler)));
    SessionRun& run = session->runs.at(number);
    run.parent = parent_number;
    run.position = position;
    if (const auto still = session->runs.find(parent_number); still != session->runs.end())
      run.run->start_from(*still->second.run, std::min(position, still->second.run->computed()));
    Json answer = run_json(number, request, engine_.context());
    answer["parent"] = parent_number;
    answer["position"] = position;
    ASK(answer["prompt"], prompt_json(request.prompt, nullptr));
    respond(exchange, answer);
    publish(*session, number, run);
    return {};
  });
  return {};
}

Checked<void> Explorer::post(std::string_view name, const Request& request,
                             const Answering& exchange) {
  const Verb* verb = std::find_if(std::begin(kVerbs), std::end(kVerbs),
                                  [&](const Verb& one) { return one.name == name; });
  if (request.body.size() > kBodyMax)
    return refuse(413, fmt::format("the body is larger than {} bytes", kBodyMax));
  std::vector<std::string> warnings;
  ASK(const Json body, read_request(request, verb->table, warnings));
  if (name == "session") return make_session(exchange);
  ASK(const SessionPointer session, find_session(body["session"].get<std::string>()));
  if (name == "subscribe") return subscribe(body, session, exchange);
  if (name == "run") return run(body, session, exchange);
  if (name == "branch") return branch(body, session, exchange);
  if (name == "counterfactual") return counterfactual(body, session, exchange);
  if (name != "close") return move(verb->name, body, session, exchange);
  {
    const std::lock_guard lock(mutex_);
    sessions_.erase(session->id);
  }
  session->closed = true;
  bell_.ring();
  ask_engine(exchange, [session, exchange]() -> Checked<void> {
    session->runs.clear();
    respond(exchange, {{"closed", true}});
    return {};
  });
  return {};
}

Checked<void> Explorer::state(const Request& request, const Answering& exchange) {
  ASK(const Query query, Query::parse(request.query));
  ASK(const SessionPointer session, find_session(query.text("session")));
  ask_engine(exchange, [this, session, exchange]() -> Checked<void> {
    respond(exchange, state_json(*session));
    return {};
  });
  return {};
}

Checked<void> Explorer::handle(const Request& request, const Answering& exchange) {
  std::string_view name = request.path;
  if (name == "/explorer" || name == "/explorer/" || name.starts_with("/explorer/assets/") ||
      name == "/explorer/index.html" || name == "/explorer/favicon.svg")
    return answer_page(request, exchange);
  name.remove_prefix(std::string_view("/explorer/").size());
  const bool is_verb = std::any_of(std::begin(kVerbs), std::end(kVerbs),
                                   [&](const Verb& verb) { return verb.name == name; });
  const bool is_readable =
      std::find(std::begin(kReadable), std::end(kReadable), name) != std::end(kReadable);
  if (!is_verb && !is_readable)
    return refuse(404, fmt::format("there is nothing at '{}'", request.path.substr(0, 200)));
  if (is_verb ? request.method != "POST" : request.method != "GET")
    return refuse(405, fmt::format("{} takes {}", request.path, is_verb ? "POST" : "GET"));
  if (is_verb) return post(name, request, exchange);
  if (name == "catalog") {
    exchange->respond({.body = catalog_text_, .headers = {}});
    return {};
  }
  if (name == "compare") {
    ASK(const Query query, Query::parse(request.query));
    ASK(const Json answer, compare_json(*host_, catalog_, query.text("a"), query.text("b")));
    respond(exchange, answer);
    return {};
  }
  if (name == "stream") return stream(request, exchange);
  if (name == "state") return state(request, exchange);
  if (name == "tile") return tile(request, exchange);
  if (name == "rows") return rows(request, exchange);
  return refuse(400, "the lens is not part of this version", "", "not_built");
}

}  // namespace orrery::serve
