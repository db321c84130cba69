// Engine::generate and generate_batch: the loop of replies: feed, choose, take.
#include <chrono>
#include <list>

#include "engine/growing_reply.h"

namespace orrery::engine {
namespace {

using Clock = std::chrono::steady_clock;

f64 seconds_since(Clock::time_point begin) {
  return std::chrono::duration<f64>(Clock::now() - begin).count();
}

}  // namespace

std::string_view name(Finish finish) {
  switch (finish) {
    case Finish::kStopToken:
      return "stop_token";
    case Finish::kStopText:
      return "stop_text";
    case Finish::kLength:
      return "length";
    case Finish::kContextFull:
      return "context_full";
    case Finish::kCancelled:
      return "cancelled";
    case Finish::kDeadline:
      return "deadline";
    case Finish::kError:
      return "error";
  }
  return "";
}

Result<Reply> Engine::generate(Sequence& sequence, std::span<const text::TokenId> prompt,
                               const GenerateRequest& request, const OnToken& on_token) {
  if (prompt.empty()) return fail("the prompt is empty");
  std::vector<text::TokenId> history(sequence.tokens());
  history.insert(history.end(), prompt.begin(), prompt.end());
  TRY(GrowingReply growing, GrowingReply::make(*this, request, std::move(history)));
  const auto choose = [&](u32, std::span<const f32> logits) { return growing.choose(logits); };
  const auto start = Clock::now();
  CHECK_OK(feed(sequence, prompt, u32(prompt.size()) - 1, choose));
  const f64 prompt_seconds = seconds_since(start);
  const auto reply_start = Clock::now();
  while (growing.take(sequence.length(), on_token)) {
    const text::TokenId last = growing.chosen();
    CHECK_OK(feed(sequence, {&last, 1}, 0, choose));
  }
  const f64 reply_seconds = seconds_since(reply_start);
  Reply reply = growing.finish(on_token);
  reply.timings.prompt_tokens = u32(prompt.size());
  reply.timings.prompt_seconds = prompt_seconds;
  reply.timings.reply_seconds = reply_seconds;
  return reply;
}

Result<void> Engine::generate_batch(std::span<const BatchRequest> requests,
                                    const OnReply& on_reply) {
  struct Slot {
    u32 index;  // of the request
    Sequence sequence;
    GrowingReply growing;
    Timings timings;
    Clock::time_point reply_start;
  };
  std::list<Slot> slots;
  u32 next = 0;
  const auto finish = [&](Slot& slot) {
    Reply reply = slot.growing.finish(nullptr);
    slot.timings.reply_tokens = u32(reply.tokens.size());
    slot.timings.reply_seconds = seconds_since(slot.reply_start);
    reply.timings = slot.timings;
    return on_reply(slot.index, std::move(reply));
  };
  // A free slot takes the next request; its prompt is read alone.
  const auto begin = [&]() -> Result<void> {
    const BatchRequest& request = requests[next];
    if (request.prompt.empty()) return fail("the prompt is empty");
    TRY(Sequence sequence, start());
    TRY(GrowingReply growing, GrowingReply::make(*this, request.request, request.prompt));
    const auto started = Clock::now();
    CHECK_OK(feed(sequence, request.prompt, u32(request.prompt.size()) - 1,
                  [&](u32, std::span<const f32> logits) { return growing.choose(logits); }));
    const Timings timings{.prompt_tokens = u32(request.prompt.size()),
                          .prompt_seconds = seconds_since(started)};
    slots.push_back({next++, std::move(sequence), std::move(growing), timings, Clock::now()});
    return {};
  };
  std::vector<Sequence*> sequences;
  std::vector<text::TokenId> ids;
  while (next < requests.size() || !slots.empty()) {
    while (slots.size() < scratch_.logit_rows_max && next < requests.size())
      if (auto begun = begin(); !begun)
        return fail("request {}: {}", next + 1, begun.error().message);
    for (auto slot = slots.begin(); slot != slots.end();) {
      if (slot->growing.take(slot->sequence.length(), nullptr)) {
        ++slot;
        continue;
      }
      CHECK_OK(finish(*slot));
      slot = slots.erase(slot);
    }
    if (slots.empty()) continue;
    sequences.clear();
    ids.clear();
    for (Slot& slot : slots) {
      sequences.push_back(&slot.sequence);
      ids.push_back(slot.growing.chosen());
    }
    auto slot = slots.begin();  // the logits come in their order
    CHECK_OK(score_each(sequences, ids, [&](u32, std::span<const f32> logits) {
      return (slot++)->growing.choose(logits);
    }));
  }
  return {};
}

}  // namespace orrery::engine
