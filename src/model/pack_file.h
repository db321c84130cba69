// PackFile: packed weights kept on disk, so that the next start maps them instead of packing again.
//
// A pack belongs to one state of one checkpoint and to one way of packing it: its key is a hash of
// the files' identity (device, inode, size, times of change), of samples from every tensor, and of
// the plan (layouts, shapes, offsets). Whatever changes one of them makes another key, and the pack
// is not found. All rungs share one layout, so a pack serves every instruction set. What is found
// is hostile until checked: the header, every length, and a checksum of each piece of the data, in
// parallel (reading it once is also what brings it into memory).
//
// File, little-endian: magic "ORRPACK1", u64 kPackVersion, u64 key[2], u64 data bytes, u64 piece
// bytes, u64 pieces, u64 checksum of the header and table, the model's name in 256 bytes; then a
// u64 checksum for each piece; the data from 2 MiB on.
#pragma once

#include <array>
#include <atomic>
#include <filesystem>

#include "base/mapped_file.h"
#include "base/parallel.h"
#include "model/weights.h"

namespace orrery::model {

// Raised with every change of packing, of a layout or of this file.
inline constexpr u64 kPackVersion = 2;

using PackKey = std::array<u64, 2>;

// An error where the files' state cannot be read.
[[nodiscard]] Result<PackKey> pack_key(const checkpoint::Checkpoint& checkpoint,
                                       const BindPlan& plan);

// Bytes of the file of this much data.
[[nodiscard]] u64 pack_file_bytes(u64 data_bytes);

// What the file of this key is called.
[[nodiscard]] std::string pack_name(const PackKey& key);

// Maps a pack and checks all of it; an error says what is wrong with it.
[[nodiscard]] Result<MappedFile> open_pack(const std::filesystem::path& path, const PackKey& key,
                                           u64 data_bytes, const ParallelFor& parallel);
// The weights in a checked pack.
[[nodiscard]] Bytes pack_data(const MappedFile& pack, u64 data_bytes);

// The name of the model that a pack was made of; the header is checked, the data is not.
[[nodiscard]] Result<std::string> pack_model(const std::filesystem::path& path);
// All checks of open_pack() for a file of any key.
[[nodiscard]] Result<void> verify_pack(const std::filesystem::path& path,
                                       const ParallelFor& parallel);

// Writes a pack beside its place and moves it there when it is whole. `stop`: leaves off, with an
// error and nothing left behind. A full disk or a folder that cannot be written is an error.
// `model` is what people call it.
[[nodiscard]] Result<void> write_pack(const std::filesystem::path& path, const PackKey& key,
                                      std::string_view model, Bytes data,
                                      const std::atomic<bool>& stop);

}  // namespace orrery::model
