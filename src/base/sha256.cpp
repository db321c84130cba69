#include "base/sha256.h"

#include <openssl/evp.h>

#include <memory>

namespace orrery {

Sha256 sha256(std::initializer_list<Bytes> pieces) {
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        EVP_MD_CTX_free);
  Sha256 value{};
  EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr);
  for (const Bytes piece : pieces) EVP_DigestUpdate(context.get(), piece.data(), piece.size());
  EVP_DigestFinal_ex(context.get(), value.data(), nullptr);
  return value;
}

}  // namespace orrery
