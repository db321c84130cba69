// What a row of logits says, for a viewer, in the words of the feed.
#include "engine/watched_run.h"

namespace orrery::engine {

void WatchedRun::read_logits(std::span<const f32> logits, SeenToken& token) {
  reader_.read(logits);
  token.entropy = f32(reader_.entropy());
  LogitReader::Best best[kWatchedCandidates];
  const u32 count = reader_.best(best);
  const text::Tokenizer* tokenizer = engine_->tokenizer();
  token.candidates.clear();
  token.candidates.reserve(count);
  for (u32 i = 0; i < count; ++i) {
    SeenCandidate candidate{.id = best[i].id,
                            .logprob = f32(f64(best[i].logit) - reader_.log_sum())};
    if (tokenizer)
      candidate.text = tokenizer->is_special(candidate.id)
                           ? std::string(tokenizer->token_name(candidate.id))
                           : tokenizer->token_bytes(candidate.id);
    token.candidates.push_back(std::move(candidate));
  }
}

void WatchedRun::place_token(std::span<const f32> logits, text::TokenId id, SeenToken& token) {
  const f32 logit = logits[u32(id)];
  token.logprob = f32(f64(logit) - reader_.log_sum());
  token.rank = reader_.rank(logit);
}

}  // namespace orrery::engine
