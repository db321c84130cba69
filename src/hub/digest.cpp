#include "hub/digest.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "hub/descriptor.h"

namespace orrery::hub {
namespace {

EVP_MD_CTX* as_context(void* context) { return static_cast<EVP_MD_CTX*>(context); }

}  // namespace

void Digest::Free::operator()(void* context) const { EVP_MD_CTX_free(as_context(context)); }

Digest::Digest(std::string_view key, u64 size) : context_(EVP_MD_CTX_new()) {
  const bool git = key.size() == 40;
  EVP_DigestInit_ex(as_context(context_.get()), git ? EVP_sha1() : EVP_sha256(), nullptr);
  if (!git) return;
  const std::string head = fmt::format("blob {}", size);
  add({reinterpret_cast<const u8*>(head.c_str()), head.size() + 1});
}

void Digest::add(Bytes bytes) {
  EVP_DigestUpdate(as_context(context_.get()), bytes.data(), bytes.size());
}

std::string Digest::hex() {
  u8 value[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  // Where an init failed (a library without SHA-1) this fails, too: no key is equal to "".
  if (EVP_DigestFinal_ex(as_context(context_.get()), value, &length) != 1) return "";
  std::string text;
  for (unsigned i = 0; i < length; ++i) text += fmt::format("{:02x}", value[i]);
  return text;
}

Result<u64> add_file(Digest& digest, const std::filesystem::path& path, u64 size,
                     const std::function<Result<void>(u64)>& on_bytes) {
  constexpr std::size_t kPieceBytes = std::size_t(1) << 20;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail("{}: {}", path.string(), std::strerror(errno));
  std::vector<u8> piece(kPieceBytes);
  u64 done = 0;
  while (done < size) {
    const ssize_t got =
        ::read(file.get(), piece.data(), std::size_t(std::min<u64>(kPieceBytes, size - done)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail("{}: {}", path.string(), std::strerror(errno));
    if (got == 0) break;
    digest.add({piece.data(), std::size_t(got)});
    done += u64(got);
    CHECK_OK(on_bytes(u64(got)));
  }
  return done;
}

}  // namespace orrery::hub
