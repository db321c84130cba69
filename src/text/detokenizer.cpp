// See detokenizer.h. The tokenizer knows how its tokens become text; here is only the state.
#include "text/detokenizer.h"

namespace orrery::text {

std::string Detokenizer::push(TokenId id) {
  std::string out;
  tokenizer_->decode_push(state_, id, keep_special_, out);
  return out;
}

std::string Detokenizer::finish() {
  std::string out;
  tokenizer_->decode_finish(state_, out);
  return out;
}

}  // namespace orrery::text
