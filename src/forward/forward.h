// forward: one pass of a batch through the model, from token ids to logits.
//
// The same call serves prompts, chunks of prompts, single tokens and many sequences. It allocates
// nothing, and each token's result is the same bits whatever the other tokens, the chunking, the
// number of threads, the page size or the watcher (docs/adr/0002).
#pragma once

#include "base/thread_team.h"
#include "forward/batch.h"
#include "forward/kv_cache.h"
#include "forward/scratch.h"
#include "trace/tap.h"

namespace orrery::forward {

// What must hold of a batch: at most scratch.tokens_max tokens with ids below the vocabulary, at
// most scratch.logit_rows_max wanted logits, each sequence's tokens together at consecutive
// positions.
[[nodiscard]] Result<void> check(const model::Model& model, const Batch& batch,
                                 const Scratch& scratch);

// The batch must pass check(), and the cache must have room for its positions (reserve). Afterwards
// row i of scratch.logits belongs to the i-th token that wants logits.
template <typename Tap>
void forward(const model::Model& model, const kernels::Kernels& kernels, const Batch& batch,
             KvCache& cache, Scratch& scratch, ThreadTeam& team, Tap& tap);

}  // namespace orrery::forward
