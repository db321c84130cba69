// LogitReader: what one row of logits says as a whole, for a viewer: the sum of all weights, the
// entropy, the best tokens, a token's rank.
//
// One pass over the logits, in blocks that stay in the L1 cache and that the engine's team shares
// out. Each block has its own greatest logit and sums; they are joined in order of the blocks, so
// the number of threads changes no bit. The greatest logits of smaller blocks then bound what can
// be among the best, so that little is looked at twice. Allocates once.
#pragma once

#include <span>
#include <vector>

#include "base/thread_team.h"
#include "kernels/kernels.h"

namespace orrery::engine {

class LogitReader {
 public:
  LogitReader(const kernels::Kernels& kernels, ThreadTeam& team)
      : kernels_(&kernels), team_(&team) {}

  // `logits` must stay as they are until the last question about them.
  void read(std::span<const f32> logits);

  // The logarithm of sum exp(logit), and the entropy in nats.
  [[nodiscard]] f64 log_sum() const { return log_sum_; }
  [[nodiscard]] f64 entropy() const { return entropy_; }

  struct Best {
    i32 id;
    f32 logit;
  };
  // Fills `best` with the greatest, best first, the smaller id first among equals; how many.
  [[nodiscard]] u32 best(std::span<Best> best);
  // How many logits are greater than this.
  [[nodiscard]] u32 rank(f32 logit) const;

 private:
  struct Block {
    f32 max;
    f64 sum, weighted;  // of exp(x - max), and of exp(x - max) * (x - max)
  };
  void read_block(u64 block);
  void join();

  const kernels::Kernels* kernels_;
  ThreadTeam* team_;
  std::span<const f32> logits_;
  std::vector<Block> blocks_;   // [blocks]
  std::vector<f32> greatest_;   // [blocks of kSmall] the greatest logit of each
  std::vector<f32> selection_;  // a copy that selection may reorder
  f64 log_sum_ = 0, entropy_ = 0;
};

}  // namespace orrery::engine
