// The parts that all formats share: mapping a file of weights, and the index of names.
#include "checkpoint/contents.h"

#include <algorithm>
#include <numeric>

#include "checkpoint/names.h"

namespace orrery::checkpoint {

Result<MappedFile> map_weights(const std::filesystem::path& path) {
  TRY(MappedFile file, MappedFile::open(path));
  const Bytes bytes = file.bytes();
  if (bytes.empty()) return fail("{}: the file is empty", path.string());
  if (is_lfs_pointer({reinterpret_cast<const char*>(bytes.data()), bytes.size()}))
    return fail("{}: this is a Git LFS pointer, not the weights; run 'git lfs pull' in its folder",
                path.string());
  return file;
}

bool is_lfs_pointer(std::string_view text) {
  return text.starts_with("version https://git-lfs.github.com/spec/");
}

Result<std::vector<u32>> order_by_name(const std::vector<TensorView>& tensors) {
  std::vector<u32> order(tensors.size());
  std::iota(order.begin(), order.end(), 0u);
  std::sort(order.begin(), order.end(),
            [&](u32 a, u32 b) { return tensors[a].name < tensors[b].name; });
  for (u64 i = 1; i < order.size(); ++i)
    if (tensors[order[i - 1]].name == tensors[order[i]].name)
      return fail("tensor {} stands twice", shown(tensors[order[i]].name));
  return order;
}

}  // namespace orrery::checkpoint
