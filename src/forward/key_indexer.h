// The indexer of sparse attention: which keys each query may look at (DeepSeek-V3.2, 2025).
//
// score(query, key) = sum over index heads of weight(x) * relu(query . key); the keys_max best are
// kept. Below keys_max positions everything is kept and nothing is scored.
#pragma once

#include "forward/step.h"

namespace orrery::forward {

// Norms, turns and stores the index keys of the batch's tokens.
void store_index_keys(const Step& step, u32 layer, const model::LatentAttention& a);

// Fills scratch.index_chosen, ascending positions, and index_counts. Needs a barrier after
// store_index_keys().
void choose_keys(const Step& step, u32 layer, const model::LatentAttention& a);

}  // namespace orrery::forward
